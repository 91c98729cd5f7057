"""Measure how closely the figures of a preset come out again, for submissions' tolerance.

The same rows are run under conditions that nobody who submits can choose for others: the
instructions that the processor has, and the number of threads. What is written is the largest
difference between any two of the runs, by metric, and how it was measured.

usage: python tools/measure_repeatability.py PRESET --work FOLDER [--tasks A] [--protections A,B]
           [--purifiers A,B] [--subjects A,B]

A part of the preset may be measured at a time; of parts, the larger difference counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parents[1] / "benchmark" / "submissions" / "repeatability"
PLACE = ["task", "subject", "protection", "purifier", "seed", "metric"]
ROW = ["task", "subject", "protection", "image"]
#: What is said of a condition, environment variables, and the threads of a stage.
CONDITIONS = {
    "as shipped": ({}, None),
    "without AVX": (
        {
            "ATEN_CPU_CAPABILITY": "default",
            "DNNL_MAX_CPU_ISA": "SSE41",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        },
        None,
    ),
    "with two threads": ({}, 2),
}
CODE = """
import json, sys
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.runs.run import run
name, values, out = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
run(load_preset(name).override({}, **values), out, out + "-store", workers=1)
"""


def measure(preset: str, values: dict[str, object], work: Path) -> None:
    """Run a preset under each condition."""
    for name, (variables, threads) in CONDITIONS.items():
        out = work / name.replace(" ", "-")
        given = {**values, **({"threads": threads} if threads else {})}
        subprocess.run(
            [sys.executable, "-c", CODE, preset, json.dumps(given), str(out)],
            env={**os.environ, **variables},
            check=True,
        )


def largest(folders: list[Path]) -> tuple[int, dict[str, float]]:
    """How many cells ended in all runs, and the largest difference by metric and by norm."""
    found: dict[str, float] = {}
    cells = [pd.read_parquet(folder / "cells.parquet").set_index(PLACE) for folder in folders]
    moved = [pd.read_parquet(folder / "protections.parquet") for folder in folders]
    ended = [frame[frame["state"] != "missing"] for frame in cells]
    common = sorted(set.intersection(*[set(frame.index) for frame in ended]))
    ended = [frame.loc[common] for frame in ended]
    for one, other in combinations(ended, 2):
        if not one["state"].equals(other["state"]):
            raise SystemExit("a cell ended in another state; no tolerance covers that")
        gaps = (one["value"] - other["value"]).abs().dropna()
        for metric, gap in gaps.groupby("metric").max().items():
            found[str(metric)] = max(found.get(str(metric), 0.0), float(gap))
    for norm in ("linf", "l2", "lpips"):
        rows = [frame.groupby(ROW[:3])[norm].max() for frame in moved]
        gaps = [float((one - other).abs().max()) for one, other in combinations(rows, 2)]
        found[norm] = max(gaps)
    return len(common), found


def main() -> None:
    """Run and write; what other parts of the preset measured stays where it is larger."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("preset")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ran", action="store_true", help="compare what lies in --work already")
    for name in ("tasks", "protections", "purifiers", "subjects"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    values: dict[str, object] = {
        name: text.split(",")
        for name in ("tasks", "protections", "purifiers", "subjects")
        if (text := getattr(options, name))
    }
    if not options.ran:
        measure(options.preset, values, options.work)
    ran = {
        name: folder
        for name in CONDITIONS
        if (folder := options.work / name.replace(" ", "-")).is_dir()
    }
    rows, found = largest(list(ran.values()))
    told = "; ".join(f"{name}: {', '.join(map(str, chosen))}" for name, chosen in values.items())
    how = (
        f"{len(ran)} runs ({', '.join(ran)}), {rows} cells of which ended in each, of the preset"
        f" {options.preset} ({told}) on one machine, {platform.machine()}, torch"
        f" {version('torch')}, impress-bench {version('impress-bench')}, by"
        " tools/measure_repeatability.py; the largest difference between any two of them"
    )
    place = FOLDER / f"{options.preset}.json"
    if place.is_file():
        before = json.loads(place.read_text())
        if before.get("provisional"):  # of another pack: nothing of it counts any more
            before = {"how": how, "largest": {}}
        how = how if how in before["how"] else f"{before['how']}. {how}"
        for name, value in before["largest"].items():
            found[name] = max(value, found.get(name, 0.0))
    FOLDER.mkdir(exist_ok=True)
    document = {"how": how, "largest": dict(sorted(found.items()))}
    place.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
