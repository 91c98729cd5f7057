"""What each protection and purifier is, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from impress_bench.leaderboard.layout import Layout

#: How costs.json names the stages of both kinds.
STAGES = {"protection": "protect: protection ", "purifier": "purify: purifier "}


class Method(NamedTuple):
    """A row of a run: `about` has a line per plugin of its spec, and costs are "" if unknown."""

    kind: Literal["protection", "purifier"]
    spec: str
    title: str
    about: Sequence[str]
    passes: str
    seconds: str
    peak: str


def methods(
    protections: Sequence[str],
    purifiers: Sequence[str],
    layout: Layout,
    costs: Mapping[str, Any],
) -> list[Method]:
    """The methods of a run, in the order of display; controls are none.

    Parameters:
        protections, purifiers: Specs.
        layout: Titles, passes per image, and what each plugin is.
        costs: By component, as costs.json has them.
    """
    kinds: list[tuple[Literal["protection", "purifier"], Sequence[str]]] = [
        ("protection", [name for name in protections if layout.kind(name) != "control"]),
        ("purifier", purifiers),
    ]
    return [
        Method(kind, name, layout.title(name), layout.about(kind, name), *_costs(
            layout.meta.passes.get(name), costs.get(STAGES[kind] + name, {})))
        for kind, names in kinds
        for name in names
    ]  # fmt: skip


def _costs(passes: float | None, cost: Mapping[str, Any]) -> tuple[str, str, str]:
    stages, peak = cost.get("stages"), cost.get("peak_bytes")
    return (
        "" if passes is None else f"{passes:.0f}",
        f"{cost['seconds'] / stages:.2f}" if stages else "",
        "" if peak is None else f"{peak / 2**20:.0f}",
    )
