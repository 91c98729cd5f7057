"""What a run cost: seconds, peak memory and network passes by kind of stage and by component, apart
from the boards.

They are those of the execution that made a stored result, whichever run that was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.execution.stage_runner import Outcome
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.passes import NETWORKS
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically
from impress_bench.leaderboard.meta import BoardMeta

TEXT = """# Costs

Seconds of wall time, on the machine in provenance.json, and passes through the networks per image
of a result: forward / backward. Encoder and decoder are the VAE's; a pass that checkpointing
repeats counts again.

Peak MiB is the peak memory while one of the stages ran: on a GPU what torch had allocated, on the
CPU the resident set of the whole process, torch and the models included. It is empty where it was
not measured.
"""


@dataclass
class Cost:
    """The cost of several stages: sums, and the highest peak (None: none was measured)."""

    stages: int = 0
    seconds: float = 0.0
    images: int = 0
    passes: Counter[str] = field(default_factory=Counter)
    peak_bytes: int | None = None

    def __post_init__(self) -> None:
        self.passes = Counter(self.passes)

    def add(self, other: Outcome | Cost) -> None:
        """Add the cost of one stage, or of several."""
        self.stages += other.stages if isinstance(other, Cost) else 1
        self.seconds += other.seconds or 0.0
        self.images += other.images
        self.passes.update(other.passes)
        peaks = [peak for peak in (self.peak_bytes, other.peak_bytes) if peak is not None]
        self.peak_bytes = max(peaks, default=None)

    def as_dict(self) -> dict[str, Any]:
        """As costs.json has it."""
        return {
            "stages": self.stages,
            "seconds": round(self.seconds, 3),
            "peak_bytes": self.peak_bytes,
            "images": self.images,
            "passes": dict(sorted(self.passes.items())),
        }

    def row(self) -> list[str]:
        """As the table in costs.md has it."""
        mean = self.seconds / self.stages
        peak = "" if self.peak_bytes is None else f"{self.peak_bytes / 2**20:.0f}"
        seconds = [f"{self.seconds:.1f}", f"{mean:.2f}"]
        return [f"{self.stages}", *seconds, peak, *map(self._each, NETWORKS)]

    def _each(self, network: str) -> str:
        counts = [self.passes[f"{network} {way}"] for way in ("forward", "backward")]
        if not self.images or not any(counts):
            return ""
        return " / ".join(f"{count / self.images:.4g}" for count in counts)


Costs = dict[str, dict[str, Cost]]


def costs_of(plan: Plan, outcomes: Mapping[str, Outcome]) -> Costs:
    """The cost of a run so far, by kind of stage and by component."""
    costs: Costs = {"kinds": {}, "components": {}}
    for key, stage in plan.stages.items():
        outcome = outcomes.get(key)
        if outcome is not None and outcome.seconds is not None:
            costs["kinds"].setdefault(stage.kind, Cost()).add(outcome)
            component = f"{stage.kind}: {stage.component}"
            costs["components"].setdefault(component, Cost()).add(outcome)
    return costs


def load_costs(folders: Iterable[Path]) -> Costs:
    """The cost of several runs together. Raises ConfigError."""
    costs: Costs = {"kinds": {}, "components": {}}
    for folder in folders:
        try:
            document = json.loads((folder / "costs.json").read_bytes())
            for title, together in costs.items():
                for name, values in document[title].items():
                    together.setdefault(name, Cost()).add(Cost(**values))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{folder / 'costs.json'} holds no costs of a run: {error}") from None
    return costs


def passes_of(costs: Costs) -> dict[str, float]:
    """Passes through networks per image, forward and backward, by the spec of the protection or
    purifier."""
    return {
        name.removeprefix(prefix): sum(cost.passes.values()) / cost.images
        for name, cost in costs["components"].items()
        for prefix in ("protect: protection ", "purify: purifier ")
        if name.startswith(prefix) and cost.images
    }


def with_passes(meta: BoardMeta, folder: Path) -> BoardMeta:
    """`meta` with the passes that the costs in a run's folder hold, if it has any. Raises
    ConfigError."""
    if not (folder / "costs.json").is_file():
        return meta
    return meta.model_copy(update={"passes": passes_of(load_costs([folder]))})


def save_costs(costs: Costs, folder: Path) -> None:
    """Write costs.json and costs.md."""
    document = {title: {k: v.as_dict() for k, v in rows.items()} for title, rows in costs.items()}
    write_atomically(folder / "costs.json", json.dumps(document, indent=1).encode())
    lines = [TEXT]
    for title, rows in costs.items():
        headers = [title, "stages", "seconds", "mean", "peak MiB", *NETWORKS]
        lines.append(f"| {' | '.join(headers)} |")
        lines.append("| --- |" + " ---: |" * (len(headers) - 1))
        lines += [f"| {' | '.join([name, *row.row()])} |" for name, row in rows.items()]
        lines.append("")
    write_atomically(folder / "costs.md", "\n".join(lines).encode())
