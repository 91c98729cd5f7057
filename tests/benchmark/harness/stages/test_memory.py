"""The peak memory of stages, against blocks of a known size that a plugin takes for a moment."""

from __future__ import annotations

import json

import pytest
import torch

from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.costs import Cost, load_costs, save_costs
from impress_bench.benchmark.harness.stages import memory
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.store import Store

BLOCK = 300 * 10**6


def can_begin_anew():
    measured = memory.PeakMemory("cpu")
    measured.begin()
    return measured.bytes is not None


on_linux = pytest.mark.skipif(not can_begin_anew(), reason="a peak cannot be begun anew here")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


def environment(device):
    return Environment({"target": "atelier"}, device=device)


def taken(env, size):
    """The peak of a stage that takes `size` bytes for a moment."""
    with env.stage(1, "test"):
        torch.ones(size, dtype=torch.uint8, device=env.device)
    return env.peak_bytes


@pytest.mark.parametrize(
    "device", [pytest.param("cpu", marks=on_linux), pytest.param("cuda", marks=on_gpu)]
)
def test_each_stage_has_a_peak_of_its_own(device):
    env = environment(device)
    before, during, after = (taken(env, size) for size in (1, BLOCK, 1))
    assert during - before == pytest.approx(BLOCK, rel=0.15)
    assert during - after == pytest.approx(BLOCK, rel=0.15)


@on_linux
@pytest.mark.parametrize("isolate", [False, True])
def test_a_stored_peak_is_that_of_its_stage(bench, isolate):
    """Stages before and after it, in the same process or in others, are those without the block.
    The peak of a plugin that runs apart is its process's, whose start-up holds for a moment what
    the block takes later, so that the two differ by less than the block."""
    names = ["hungry", "hungry[megabytes=300]"]
    values = {"protections": names, "purifiers": ["keep"], "subjects": 1, "isolate": isolate}
    out = bench.run(**values).out
    store, peaks = Store(bench.store), {}
    for stage in make_plan(bench.preset(**values), Registry()).stages.values():
        if stage.kind in ("protect", "purify"):
            peaks[stage.kind, *stage.place.parts] = store.find(stage.key).peak_bytes
    protect, purify = ([peaks[kind, name, part] for name in names] for kind, part in (
        ("protect", ""), ("purify", "keep")
    ))  # fmt: skip
    if isolate:
        assert 0.25 * BLOCK < protect[1] - protect[0] <= 1.15 * BLOCK
        assert max(purify) < protect[1] - 0.25 * BLOCK
    else:
        assert protect[1] - protect[0] == pytest.approx(BLOCK, rel=0.15)
        assert max(purify) < protect[1] - 0.85 * BLOCK
    costs = json.loads((out / "costs.json").read_text())
    assert costs["kinds"]["protect"]["peak_bytes"] == protect[1]
    assert costs["kinds"]["purify"]["peak_bytes"] == max(purify)
    assert f" {protect[1] / 2**20:.0f} |" in (out / "costs.md").read_text()


def test_what_cannot_be_measured_is_absent(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "nowhere" / "clear_refs")
    out = bench.run().out
    manifests = list(bench.store.glob("objects/*/*/manifest.json"))
    assert manifests
    assert all("peak_bytes" not in json.loads(path.read_text()) for path in manifests)
    costs = json.loads((out / "costs.json").read_text())
    assert {row["peak_bytes"] for rows in costs.values() for row in rows.values()} == {None}
    first = (out / "costs.md").read_text().partition("| original | ")[2].partition("\n")[0]
    assert first.split(" | ")[3] == ""


def test_what_is_stored_without_a_peak_is_reused(bench):
    """As stores of earlier versions have it: the key is of the same document."""
    bench.run()
    for path in bench.store.glob("objects/*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest.pop("peak_bytes", None)
        path.write_text(json.dumps(manifest))
    again = bench.run("again")
    assert set(again.stages) == {"reused"}
    costs = json.loads((again.out / "costs.json").read_text())
    assert costs["kinds"]["protect"]["peak_bytes"] is None


class FakeGpu:
    """What torch tells of a GPU: the peak of all that was allocated since it was begun anew."""

    def __init__(self, monkeypatch):
        self.initialized, self.now, self.peak = False, 0, 0
        monkeypatch.setattr("torch.cuda.is_initialized", lambda: self.initialized)
        monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", self.reset)
        monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: self.peak)

    def reset(self):
        if not self.initialized:
            raise RuntimeError("invalid argument to reset_peak_memory_stats")
        self.peak = self.now

    def allocate(self, size):
        self.initialized, self.now = True, self.now + size
        self.peak = max(self.peak, self.now)


def test_on_a_gpu_its_own_memory_counts(monkeypatch):
    gpu, env, peaks = FakeGpu(monkeypatch), environment("cuda"), []
    for blocks in ([], [7], [5, -5], [1]):
        with env.stage(1, "test"):
            for block in blocks:
                gpu.allocate(block)
        peaks.append(env.peak_bytes)
    assert peaks == [None, 7, 12, 8]


def test_of_several_runs_the_highest_peak_counts(tmp_path):
    peaks = {"all": (5, 9, 7), "some": (None, 3, None), "none": (None, None, None)}
    folders = [tmp_path / str(at) for at in range(3)]
    for at, folder in enumerate(folders):
        rows = {name: Cost(stages=1, peak_bytes=values[at]) for name, values in peaks.items()}
        folder.mkdir()
        save_costs({"kinds": rows, "components": {}}, folder)
    written = json.loads((folders[2] / "costs.json").read_text())
    for row in written["kinds"].values():
        del row["peak_bytes"]  # as earlier versions wrote it
    (folders[2] / "costs.json").write_text(json.dumps(written))
    merged = load_costs(folders)["kinds"]
    assert {name: row.peak_bytes for name, row in merged.items()} == {
        "all": 9, "some": 3, "none": None,
    }  # fmt: skip
