"""Which protections survive a purifier, and which of them holds best, in words.

Means alone rank nothing: that one holds better than another is said where the paired difference of
what is left of both lies beyond 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.findings.tables import paragraph
from impress_bench.leaderboard.layout import listed, subjects_text
from impress_bench.leaderboard.render import interval_text
from impress_bench.leaderboard.statistics import Summary, paired_difference


class Survival(NamedTuple):
    """What a protection takes more than noise: without a purifier, after one (None: not run), and
    after one by subject; its mean LPIPS and its passes per image, as a table prints them."""

    plain: Summary
    purified: Summary | None
    left: Mapping[str, float]
    visible: str
    passes: str


def holding_verdict(survivals: Mapping[str, Survival], purifier: str, metric: MetricInfo) -> str:
    """Which protections, by title, survive a purifier, and which holds best if paired differences
    to all others show it; how sure that is, at what visibility and cost. "" if none was run after
    it for six subjects."""
    purified = {name: one.purified for name, one in survivals.items() if one.purified is not None}
    sides = {name: side_of(purified[name]) if name in purified else None for name in survivals}
    if all(side is None for side in sides.values()):
        return ""
    held = [name for name, side in sides.items() if side == 1]
    held.sort(key=lambda name: -(purified[name].mean or 0.0))
    left = {name: interval_text(purified[name], metric.percent, False) for name in held}
    sentences = []
    if held:
        best, *others = held
        sole = all(_holds_better(survivals[best], survivals[other]) for other in others)
        first = ", and holds best" if others and sole else ""
        sentences.append(f"{best} is shown to survive {purifier}{first}.")
        sentences.append(
            _described(survivals[best], purified[best].n, left[best], purifier, metric)
        )
        if others:
            told = [f"{name} ({left[name]} remain)" for name in others]
            sentences.append(f"Also shown to survive: {listed(told)}.")
            if not sole:
                sentences.append("Which of them holds best is not shown.")
        if lost := [name for name, side in sides.items() if side in (0, -1)]:
            sentences.append(f"Not shown to survive: {listed(lost)}.")
    else:
        sentences.append(f"No protection is shown to survive {purifier}.")
        taking = [
            f"{name} ({interval_text(one.plain, metric.percent, False)})"
            for name, one in survivals.items()
            if side_of(one.plain) == 1
        ]
        if taking:
            sentences.append(f"Unpurified, more than noise is taken by {listed(taking)}.")
    if few := [name for name in purified if sides[name] is None]:
        sentences.append(f"Too few subjects: {listed(few)}.")
    if absent := [name for name in survivals if name not in purified]:
        sentences.append(f"Not run after {purifier}: {listed(absent)}.")
    return paragraph(sentences, metric)


def _described(one: Survival, subjects: int, left: str, purifier: str, metric: MetricInfo) -> str:
    """What is taken and what remains, over how many subjects, at what visibility and cost."""
    took = interval_text(one.plain, metric.percent, False)
    begin = f"It takes {took} more than noise, and a" if side_of(one.plain) == 1 else "A"
    terms = [subjects_text(subjects)]
    terms += [f"LPIPS {one.visible}"] * bool(one.visible)
    terms += [f"{one.passes} passes per image"] * bool(one.passes)
    return f"{begin}fter {purifier} {left} remain ({', '.join(terms)})."


def _holds_better(one: Survival, other: Survival) -> bool:
    return side_of(paired_difference(one.left, other.left)) == 1
