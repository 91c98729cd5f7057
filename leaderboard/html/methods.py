"""What each protection and purifier is, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from impress_bench.leaderboard.layout import Layout, parsed

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
    about: Mapping[str, str],
) -> list[Method]:
    """The methods of a run, in the order of display; controls are none.

    Parameters:
        protections, purifiers: Specs.
        layout: Titles, and passes per image.
        costs: By component, as costs.json has them.
        about: One sentence per plugin, by kind and registered name.
    """
    kinds: list[tuple[Literal["protection", "purifier"], Sequence[str]]] = [
        ("protection", [name for name in protections if layout.kind(name) != "control"]),
        ("purifier", purifiers),
    ]
    return [
        Method(kind, name, layout.title(name), _about(kind, name, about), *_costs(
            layout.meta.passes.get(name), costs.get(STAGES[kind] + name, {})))
        for kind, names in kinds
        for name in names
    ]  # fmt: skip


def _about(kind: str, name: str, about: Mapping[str, str]) -> list[str]:
    labels = []
    for link in parsed(name).links:
        labels.append((f"{kind} {link.name}", link.name))
        labels += [(f"adaptation {one.name}", one.name) for one in link.adaptations]
    return [f"{short}: {about[label]}" for label, short in labels if about.get(label)]


def _costs(passes: float | None, cost: Mapping[str, Any]) -> tuple[str, str, str]:
    stages, peak = cost.get("stages"), cost.get("peak_bytes")
    return (
        "" if passes is None else f"{passes:.0f}",
        f"{cost['seconds'] / stages:.2f}" if stages else "",
        "" if peak is None else f"{peak / 2**20:.0f}",
    )
