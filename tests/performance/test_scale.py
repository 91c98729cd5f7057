"""What the harness and the boards take at scale: plans, boards, the store, a run that is finished.

The suite measures a tenth of the sizes of docs/performance.md, and says which in `extra_info`; with
IMPRESS_BENCH_FULL_SCALE=1 it measures those. Nothing is asserted about time.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.storage.keys import key_of
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.leaderboard import write_boards

pytestmark = pytest.mark.speed

PLAN = """
title = "Large"
tasks = ["crowded[people={people}]"]
protections = {protections}
purifiers = {purifiers}
threads = 1
inspections = false

[models]
protection = "tiny"
purifier = "tiny"
target = "tiny"
"""


def numbered(first, pattern, count):
    """`first`, and further components that differ in a parameter."""
    return [first, *(pattern.format(number) for number in range(1, count))]


def peak_of(process, pause=0.02):
    """The most memory in kilobytes that a process has had, asked until it ends: what it leaves to
    be read afterwards counts in the memory of this one, which it was forked from."""
    peak = 0
    while found := re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process}/status").read_text()):
        peak = int(found[1])
        time.sleep(pause)
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_plan(benchmark, command, tmp_path, full_scale):
    """`impress-bench plan` from its start to its end, in a process of its own."""
    people, rows, columns = (100, 100, 100) if full_scale else (50, 40, 50)
    preset = tmp_path / "large.toml"
    protections = numbered("clean", "shift[rounds={}]", rows)
    purifiers = numbered("keep", "smooth[radius={}]", columns)
    preset.write_text(
        PLAN.format(
            people=people, protections=json.dumps(protections), purifiers=json.dumps(purifiers)
        )
    )
    found = {}

    def plan():
        process = command(
            "plan", "--preset", preset, "--store", tmp_path / "store", "--probe", 0, "--json",
            forked=False,
        )  # fmt: skip
        watch = threading.Thread(target=lambda: found.update(peak=peak_of(process.pid)))
        watch.start()
        with process.stdout, process.stderr:
            found["said"] = json.loads(process.stdout.read() or "null"), process.stderr.read()
        watch.join()
        _, process.returncode, found["usage"] = os.wait4(process.pid, 0)

    benchmark.pedantic(plan, rounds=1)
    forecast, errors = found["said"]
    assert forecast is not None, errors
    # Every pair, and the task's control.
    assert forecast["cells"]["all"] == people * (rows * columns + 1)
    benchmark.extra_info.update(
        cells=forecast["cells"]["all"],
        stages=forecast["stages"]["all"],
        cpu_seconds=round(found["usage"].ru_utime + found["usage"].ru_stime, 1),
        peak_gb=round(found["peak"] / 1e6, 2),
    )


def frames(subjects, rows, columns, seeds):
    """Figures that nobody measured, for every combination; one in a hundred failed."""
    draw = np.random.default_rng(0)
    artists = [f"artist-{number:03}" for number in range(subjects)]
    protections = ["identity", "random-noise", *numbered("glaze", "glaze[steps={}]", rows - 2)]
    purifiers = ["none", "impress", *numbered("jpeg", "jpeg[quality={}]", columns - 2)]
    whole = {
        "task": ["style-mimicry"], "subject": artists, "protection": protections,
        "purifier": purifiers, "seed": range(seeds), "metric": ["clip-top1", "clip-top3"],
    }  # fmt: skip
    cells = pd.MultiIndex.from_product(whole.values(), names=whole).to_frame(index=False)
    failed = draw.random(len(cells)) < 0.01
    cells["value"] = np.where(failed, np.nan, draw.random(len(cells)).round(3))
    cells["state"] = np.where(failed, "failed", "done")
    cells["reason"] = np.where(failed, "it broke", "")
    shown = {name: whole[name] for name in ("task", "subject", "protection")}
    shown["image"] = ["one", "two"]
    seen = pd.MultiIndex.from_product(shown.values(), names=shown).to_frame(index=False)
    for norm in ("linf", "l2", "lpips"):
        seen[norm] = draw.random(len(seen))
    seen["state"] = "done"
    meta = {
        "protections": protections,
        "purifiers": purifiers,
        "reference_protection": "glaze",
        "metrics": {
            "style-mimicry": [{"name": n, "higher_is_better": True} for n in whole["metric"]]
        },
    }
    return cells, seen, meta


def test_boards(benchmark, tmp_path, full_scale):
    shape = (20, 50, 50, 2) if full_scale else (10, 25, 20, 2)
    cells, protections, meta = frames(*shape)
    written = benchmark.pedantic(
        write_boards, (cells, protections, pd.DataFrame(), meta, tmp_path), rounds=1
    )
    assert {path.stem for path in written} >= {"table-1", "worst-case", "matrix-style-mimicry"}
    benchmark.extra_info.update(cells=int(np.prod(shape)), rows=len(cells))


@pytest.fixture
def objects():
    """Keys, what they digest, and results of eight images each."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    result = Result(ImageSet(pixels, tuple("abcdefgh")), {"linf": [0.1] * 8})
    return [(key_of({"n": n}), {"n": n}, result) for n in range(40)]


def test_store_writes(benchmark, tmp_path, objects):
    store = Store(tmp_path)

    def forget():
        for key, _, _ in objects:
            store.discard(key)

    def write():
        for key, inputs, result in objects:
            store.put(key, inputs, result, 0.0)

    benchmark.pedantic(write, setup=forget, rounds=3)
    benchmark.extra_info["ms_an_object"] = round(
        1000 * benchmark.stats.stats.median / len(objects), 2
    )


def test_store_reads(benchmark, tmp_path, objects):
    store = Store(tmp_path)
    for key, inputs, result in objects:
        store.put(key, inputs, result, 0.0)
    benchmark.pedantic(lambda: [store.get(key) for key, _, _ in objects], rounds=3)
    benchmark.extra_info["ms_an_object"] = round(
        1000 * benchmark.stats.stats.median / len(objects), 2
    )


def test_resume_of_a_finished_run(benchmark, bench):
    """All is stored: planned, found, read and written to boards again."""
    values = {"purifiers": numbered("keep", "smooth[radius={}]", 6), "seeds": [0, 1]}
    first = bench.run(**values)
    again = benchmark.pedantic(lambda: bench.run(**values), rounds=3)
    assert again.stages == {"reused": first.stages["executed"]}
    stages = first.stages["executed"]
    benchmark.extra_info.update(
        stages=stages, ms_a_stage=round(1000 * benchmark.stats.stats.median / stages, 2)
    )
