"""What each protection and purifier is, what it sees of the model, its costs, and how it fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from impress_bench.leaderboard.findings.variants import Task
from impress_bench.leaderboard.html.fared import (
    protection_fared,
    purifier_fared,
    seen,
    shown_tasks,
)
from impress_bench.leaderboard.layout import Layout

#: How costs.json names the stages of both kinds.
STAGES = {"protection": "protect: protection ", "purifier": "purify: purifier "}


class Method(NamedTuple):
    """A row of a run: `about` has a line per plugin of its spec, `fared` a text per task, in the
    order of `columns`; what is unknown is ""."""

    kind: Literal["protection", "purifier"]
    spec: str
    title: str
    about: Sequence[str]
    sees: str
    fared: Sequence[str]
    passes: str
    seconds: str
    peak: str


def methods(
    protections: Sequence[str],
    purifiers: Sequence[str],
    layout: Layout,
    costs: Mapping[str, Any],
    tasks: Sequence[Task],
) -> list[Method]:
    """The methods of a run, in the order of display; controls are none.

    Parameters:
        protections, purifiers: Specs.
        layout: Titles, passes per image, and what each plugin is.
        costs: By component, as costs.json has them.
        tasks: What was measured of each task.
    """
    told = {"protection": protection_fared, "purifier": purifier_fared}
    kinds: list[tuple[Literal["protection", "purifier"], Sequence[str]]] = [
        ("protection", [name for name in protections if layout.kind(name) != "control"]),
        ("purifier", purifiers),
    ]
    return [
        Method(kind, name, layout.title(name), layout.about(kind, name),
               seen(name, costs.get(STAGES[kind] + name, {}).get("passes"), layout),
               [told[kind](task, metric, name, layout) for task, metric in shown_tasks(tasks)],
               *_costs(layout.meta.passes.get(name), costs.get(STAGES[kind] + name, {})))
        for kind, names in kinds
        for name in names
    ]  # fmt: skip


def columns(tasks: Sequence[Task], layout: Layout) -> list[str]:
    """The heads of what methods say of each task: its title and its primary metric."""
    heads = []
    for task, metric in shown_tasks(tasks):
        unit = "per cent" if metric.percent else metric.unit
        heads.append(f"{layout.title(task.name)}: {metric.title}" + f" ({unit})" * bool(unit))
    return heads


def seconds_of(costs: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of wall time per subject, by the spec of the protection."""
    return {
        name.removeprefix(STAGES["protection"]): cost["seconds"] / cost["stages"]
        for name, cost in costs.items()
        if name.startswith(STAGES["protection"]) and cost.get("stages")
    }


def _costs(passes: float | None, cost: Mapping[str, Any]) -> tuple[str, str, str]:
    stages, peak = cost.get("stages"), cost.get("peak_bytes")
    return (
        "" if passes is None else f"{passes:.0f}",
        f"{cost['seconds'] / stages:.2f}" if stages else "",
        "" if peak is None else f"{peak / 2**20:.0f}",
    )
