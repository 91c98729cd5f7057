"""How much subjects differ in the published runs: `python tools/published_spreads.py`

Writes benchmark/harness/planning/spreads.toml, by which `impress-bench plan` says what a run can
find in units: for each protection without an adaptation that was run for all subjects, the standard
deviation over subjects of the paired difference to its matched noise, of the task's primary metric.
To be run when a preset in `PRESETS` is published anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tomli_w

from impress_bench.benchmark.harness.planning.spreads import Spread
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.leaderboard.findings.taken import taken
from impress_bench.leaderboard.findings.variants import measured_task
from impress_bench.leaderboard.layout import Layout, parsed, target_of
from impress_bench.leaderboard.scaling import with_scaled

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "leaderboard" / "results"
FILE = ROOT / "benchmark" / "harness" / "planning" / "spreads.toml"
PRESETS, MODEL = ("mini", "paper"), "atelier"


def spreads() -> Iterator[Spread]:
    """What the stored results of `PRESETS` say of `MODEL`, in a fixed order."""
    for preset in PRESETS:
        part = read_part(RESULTS / preset)
        layout = Layout(part.meta)
        cells = with_scaled(part.frames.cells, layout)
        for name in sorted(set(cells["task"])) if part.meta.model == MODEL else ():
            task = measured_task(cells, name, layout)
            metric = next((one for one in task.metrics if one.primary), None)
            if metric is None or target_of(name) is not None:
                continue
            for protection in task.protections:
                none = layout.roles.no_purifier
                found = taken(task.entries, protection, none, metric, task.protections, layout)
                if found is None or parsed(protection).adaptations:
                    continue
                summary = found[1][0]
                if summary.std is not None and summary.n == task.subjects:
                    std = float(f"{summary.std:.4g}")
                    yield Spread(preset, MODEL, name, metric.name, protection, summary.n, std)


def document() -> str:
    """The text of the file."""
    head = "# Written by tools/published_spreads.py from leaderboard/results; see spreads.py.\n\n"
    return head + tomli_w.dumps({"spread": [one._asdict() for one in spreads()]})


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
