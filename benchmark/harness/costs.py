"""What a run cost: seconds by kind of stage and by component, apart from the boards.

Seconds are those of the execution that made a stored result, whichever run that was.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.files import write_atomically
from impress_bench.benchmark.harness.local import Outcome
from impress_bench.benchmark.harness.plan import Plan


def write_costs(plan: Plan, outcomes: Mapping[str, Outcome], folder: Path) -> None:
    """Write costs.json and costs.md."""
    kinds: dict[str, list[float]] = defaultdict(list)
    components: dict[str, list[float]] = defaultdict(list)
    for key, stage in plan.stages.items():
        seconds = outcomes[key].seconds if key in outcomes else None
        if seconds is not None:
            kinds[stage.kind].append(seconds)
            components[f"{stage.kind}: {stage.component}"].append(seconds)
    costs = {"kinds": _totals(kinds), "components": _totals(components)}
    write_atomically(folder / "costs.json", json.dumps(costs, indent=1).encode())
    lines = ["# Costs", "", "Seconds of wall time, on the machine in provenance.json.", ""]
    for title, rows in costs.items():
        lines += [f"| {title} | stages | seconds | mean |", "| --- | ---: | ---: | ---: |"]
        for name, row in rows.items():
            mean = row["seconds"] / row["stages"]
            lines.append(f"| {name} | {row['stages']} | {row['seconds']:.1f} | {mean:.2f} |")
        lines.append("")
    write_atomically(folder / "costs.md", "\n".join(lines).encode())


def _totals(seconds: Mapping[str, list[float]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"stages": len(values), "seconds": round(sum(values), 3)}
        for name, values in seconds.items()
    }
