"""What a run cost: seconds and network passes by kind of stage and by component, apart from the
boards.

Seconds and passes are those of the execution that made a stored result, whichever run that was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.files import write_atomically
from impress_bench.benchmark.harness.local import Outcome
from impress_bench.benchmark.harness.passes import NETWORKS
from impress_bench.benchmark.harness.plan import Plan

TEXT = """# Costs

Seconds of wall time, on the machine in provenance.json, and passes through the networks for each
image of a result: forward / backward. Encoder and decoder are the VAE's; what is run again to spare
memory counts again.
"""


@dataclass
class Cost:
    """What stages took together."""

    stages: int = 0
    seconds: float = 0.0
    images: int = 0
    passes: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """One stage more."""
        self.stages += 1
        self.seconds += outcome.seconds or 0.0
        self.images += outcome.images
        self.passes.update(outcome.passes)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "stages": self.stages,
            "seconds": round(self.seconds, 3),
            "images": self.images,
            "passes": dict(sorted(self.passes.items())),
        }

    def row(self) -> list[str]:
        """For people."""
        mean = self.seconds / self.stages
        return [f"{self.stages}", f"{self.seconds:.1f}", f"{mean:.2f}", *map(self._each, NETWORKS)]

    def _each(self, network: str) -> str:
        counts = [self.passes[f"{network} {way}"] for way in ("forward", "backward")]
        if not self.images or not any(counts):
            return ""
        return " / ".join(f"{count / self.images:.4g}" for count in counts)


def write_costs(plan: Plan, outcomes: Mapping[str, Outcome], folder: Path) -> None:
    """Write costs.json and costs.md."""
    kinds: dict[str, Cost] = {}
    components: dict[str, Cost] = {}
    for key, stage in plan.stages.items():
        outcome = outcomes.get(key)
        if outcome is not None and outcome.seconds is not None:
            kinds.setdefault(stage.kind, Cost()).add(outcome)
            components.setdefault(f"{stage.kind}: {stage.component}", Cost()).add(outcome)
    costs = {"kinds": kinds, "components": components}
    document = {title: {k: v.as_dict() for k, v in rows.items()} for title, rows in costs.items()}
    write_atomically(folder / "costs.json", json.dumps(document, indent=1).encode())
    lines = [TEXT]
    for title, rows in costs.items():
        headers = [title, "stages", "seconds", "mean", *NETWORKS]
        lines.append(f"| {' | '.join(headers)} |")
        lines.append("| --- |" + " ---: |" * (len(headers) - 1))
        lines += [f"| {' | '.join([name, *row.row()])} |" for name, row in rows.items()]
        lines.append("")
    write_atomically(folder / "costs.md", "\n".join(lines).encode())
