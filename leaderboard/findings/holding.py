"""Which protections survive a purifier, and which of them holds best, in words.

One survives if the interval of what is left lies beyond 0 and its test, adjusted for all of them,
has p below .05. Means alone rank nothing: that one holds better than another is said where the
paired difference of what is left of both lies beyond 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import next_step
from impress_bench.leaderboard.findings.paired import LEVEL, is_shown, side_of
from impress_bench.leaderboard.findings.reasons import NO_NOISE
from impress_bench.leaderboard.findings.tables import paragraph
from impress_bench.leaderboard.layout import listed, subjects_text
from impress_bench.leaderboard.render import interval_text, p_text
from impress_bench.leaderboard.significance import least_p
from impress_bench.leaderboard.statistics import Summary, paired_difference


class Survival(NamedTuple):
    """What a protection takes more than noise: without a purifier, after one (None: not run), and
    after one by subject; its mean LPIPS and its passes per image, as a table prints them; the title
    of the strongest purifier of its row, and what it takes after that (None: noise not run); and p
    of what is left, adjusted."""

    plain: Summary
    purified: Summary | None
    left: Mapping[str, float]
    visible: str
    passes: str
    hardest: tuple[str, Summary] | None = None
    p: float | None = None


def holding_verdict(
    survivals: Mapping[str, Survival], purifier: str, metric: MetricInfo, onward: str = ""
) -> str:
    """Which protections, by title, survive a purifier, and which holds best if paired differences
    to all others show it; how sure that is, at what visibility and cost; where the strongest
    purifier of a row says otherwise. If none was run after it for six subjects: that, and what to
    run instead, which is the preset `onward` if there is one."""
    purified = {name: one.purified for name, one in survivals.items() if one.purified is not None}
    sides = {name: side_of(purified[name]) if name in purified else None for name in survivals}
    if all(side is None for side in sides.values()):
        return paragraph([_unconcluded(survivals, purified, purifier, onward)], metric)
    beyond = [name for name, side in sides.items() if side == 1]
    held = [name for name in beyond if is_shown(purified[name], survivals[name].p)]
    held.sort(key=lambda name: -(purified[name].mean or 0.0))
    left = {name: interval_text(purified[name], metric.percent, False) for name in beyond}
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
        sentences.append(_none_shown(survivals, purified, purifier))
        taking = [
            f"{name} ({interval_text(one.plain, metric.percent, False)})"
            for name, one in survivals.items()
            if side_of(one.plain) == 1
        ]
        if taking:
            sentences.append(f"Unpurified, more than noise is taken by {listed(taking)}.")
    if unsure := [name for name in beyond if name not in held]:
        told = [f"{name} ({left[name]}, p = {p_text(survivals[name].p)})" for name in unsure]
        sentences.append(f"The interval lies beyond 0 but p is not below .05 for {listed(told)}.")
    if few := [name for name in purified if sides[name] is None]:
        sentences.append(f"Too few subjects: {listed(few)}.")
    if absent := [name for name in survivals if name not in purified]:
        sentences.append(f"Not run after {purifier}: {listed(absent)}.")
    sentences += _after_the_strongest(survivals, sides, metric)
    return paragraph(sentences, metric)


def _none_shown(
    survivals: Mapping[str, Survival], purified: Mapping[str, Summary], purifier: str
) -> str:
    """That none is shown to survive, by name unless all were run after the purifier; of too few
    subjects for their number, that none can be."""
    subjects = max(one.n for one in purified.values())
    tests = sum(one.p is not None for one in survivals.values())
    least = least_p(subjects, tests)
    if least < LEVEL:
        if len(purified) == len(survivals):
            return f"No protection is shown to survive {purifier}."
        judged = [name for name, one in purified.items() if side_of(one) is not None]
        return f"Not shown to survive {purifier}: {listed(judged)}."
    return (
        f"{subjects_text(subjects)} cannot show which of {tests} protections survive {purifier}:"
        f" no p below {p_text(least)} is possible."
    )


def _unconcluded(
    survivals: Mapping[str, Survival],
    purified: Mapping[str, Summary],
    purifier: str,
    onward: str,
) -> str:
    """Why it is not known of any protection whether it survives, and what to do about it."""
    if not survivals:
        return NO_NOISE
    most = max((one.n for one in purified.values()), default=0)
    if not most:
        return "Nothing is concluded: no protection and its noise have a score after a purifier."
    return (
        f"{subjects_text(most)}, too few to conclude which protections survive {purifier}:"
        f" {next_step(onward)}."
    )


def _after_the_strongest(
    survivals: Mapping[str, Survival], sides: Mapping[str, int | None], metric: MetricInfo
) -> list[str]:
    """Where another purifier, the strongest of a row, leaves something and the headline one is not
    shown to, or the other way round."""
    others: dict[bool, list[str]] = {True: [], False: []}
    for name, one in survivals.items():
        side = None if one.hardest is None else side_of(one.hardest[1])
        if one.hardest is None or side is None or (side == 1) == (sides[name] == 1):
            continue
        title, summary = one.hardest
        told = interval_text(summary, metric.percent, signed=side != 1)
        others[side == 1].append(f"{name} ({told} after {title})")
    also = "also " * (1 in sides.values())
    words = {True: f"more than noise is {also}taken by", False: "nothing is shown to be left of"}
    return [
        "After the strongest purifier of its row, picked after the run and not tested, "
        f"{words[kept]} {listed(names)}."
        for kept, names in others.items()
        if names
    ]


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
