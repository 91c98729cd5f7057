"""What a table shows, in sentences that rules write from its numbers.

Every sentence rests on one paired difference of the primary metric and carries its 95 % interval. A
difference whose interval contains 0 is called not shown, never absent; of fewer than six subjects
it is said that there are too few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.entries import ABSENT, Key
from impress_bench.leaderboard.findings.paired import (
    Condition,
    Entries,
    gain,
    primary_of,
    side_of,
)
from impress_bench.leaderboard.findings.reasons import NO_PRIMARY
from impress_bench.leaderboard.layout import Layout, base, listed, subjects_text
from impress_bench.leaderboard.render import interval_text, numbers
from impress_bench.leaderboard.statistics import Summary, detectable


def protection_findings(
    entries: Entries,
    layout: Layout,
    columns: Iterable[Condition],
    protected: Condition,
    metrics: Sequence[MetricInfo],
) -> str:
    """What a protection takes beyond its matched noise, what the reference purifier gives back, and
    how that compares with the other purifiers and with clean images.

    `columns` are the conditions of the table. Where the reference purifier was not run, the
    headline purifier stands for it. What has no interval is left out; without a primary metric of
    known direction, or anything to compare with, that is said.
    """
    metric = primary_of(metrics)
    if metric is None:
        return NO_PRIMARY
    shown, name = list(columns), layout.title(protected[0])
    if few := too_few(entries, protected, metric):
        return few
    sentences = []
    for column in shown:
        if layout.matches(column[0], protected[0]):
            took = gain(entries, column, protected, metric)
            noise = f"noise that is as visible{_as_which(column[0], protected[0], layout)}"
            sentences.append(
                _said(
                    took,
                    metric,
                    f"{name} takes {{}} more than {noise}.",
                    f"N{noise[1:]} takes {{}} more than {name}.",
                    f"Whether {name} takes more than {noise} is not shown: {{}}.",
                )
            )
            sentences.append(_found(took, metric))
    purified = [one for one in shown if one[0] == protected[0] and one != protected]
    for ours in _purified_by(layout, purified):
        title = layout.title(ours[1])
        sentences.append(
            _said(
                gain(entries, ours, protected, metric),
                metric,
                f"{title} gives {{}} back to the exploit.",
                f"{title} takes another {{}}.",
                f"Whether {title} gives anything back is not shown: {{}}.",
            )
        )
        sentences.append(_beside(entries, layout, ours, purified, metric))
        for clean in [one for one in shown if layout.kind(one[0]) == "clean"]:
            sentences.append(
                _said(
                    gain(entries, clean, ours, metric),
                    metric,
                    "Clean images are still worth {} more to the exploit.",
                    f"After {title} the exploit is {{}} better than on clean images.",
                    f"Whether clean images are worth more than those after {title} is not shown:"
                    " {}.",
                )
            )
    if not any(sentences):
        sentences = [
            f"Nothing is concluded of {name}: nothing that it could be compared with has a score."
        ]
    return paragraph(sentences, metric)


def _purified_by(layout: Layout, purified: Sequence[Condition]) -> list[Condition]:
    """What the reference purifier made of a protection, else what the headline purifier did."""
    for wanted in (layout.roles.purifier, layout.roles.headline):
        if found := [one for one in purified if base(one[1]) == wanted]:
            return found
    return []


def _as_which(noise: str, protection: str, layout: Layout) -> str:
    """` as GLAZE` where noise is as visible as the plain form of a protection, and not as that."""
    matched = layout.matched(noise)
    return "" if matched in (None, protection) else f" as {layout.title(matched)}"


def adaptation_findings(
    entries: Entries,
    layout: Layout,
    plain: str,
    adapted: str,
    purifier: str,
    metrics: Sequence[MetricInfo],
) -> str:
    """What an adaptation costs a protection, and whether it pays after `purifier`; reasons as
    above."""
    metric = primary_of(metrics)
    if metric is None:
        return NO_PRIMARY
    none, name = layout.roles.no_purifier, layout.title(purifier)
    if few := too_few(entries, (adapted, none), metric):
        return few
    bare = gain(entries, (plain, none), (adapted, none), metric)
    after = gain(entries, (plain, purifier), (adapted, purifier), metric)
    sentences = [
        _said(
            bare,
            metric,
            "Unpurified, the adapted protection takes {} more than the plain one.",
            "Unpurified, the adapted protection takes {} less than the plain one.",
            "Whether the adaptation costs protection is not shown: {}.",
        ),
        _said(
            after,
            metric,
            f"After {name} it takes {{}} more.",
            f"After {name} it takes {{}} less.",
            f"Whether it takes more after {name} is not shown: {{}}.",
        ),
    ]
    if not any(sentences):
        sentences = ["Nothing is concluded: the plain protection has no score beside it."]
    return paragraph(sentences, metric)


def too_few(entries: Entries, condition: Condition, metric: MetricInfo) -> str:
    """What is said instead of findings about a condition of few subjects; "" of enough, or none."""
    count = len(entries.get(Key(*condition, metric.name), ABSENT).by_subject)
    told = f"{subjects_text(count)}, too few to conclude."
    return paragraph([told], metric) if 0 < count < FEW else ""


def _said(gain: Summary, metric: MetricInfo, above: str, below: str, unsure: str) -> str:
    """The sentence that fits the side of 0 on which the interval lies; "" without one."""
    side = side_of(gain)
    if side is None:
        return ""
    if side < 0:
        gain = _negated(gain)
    text = interval_text(gain, metric.percent, signed=side == 0)
    return (unsure, above, below)[side].format(text)


def _found(gain: Summary, metric: MetricInfo) -> str:
    """How large a difference had to be to be found; "" without a spread."""
    least = detectable(gain.n)
    if least is None or gain.n < FEW or gain.std is None or math.isclose(gain.std, 0, abs_tol=1e-9):
        return ""
    text = numbers([least * gain.std], metric.percent)[0]
    return (
        f"With {gain.n} subjects that differ so, a true difference of {text} would be found in four"
        " of five runs."
    )


def _negated(gain: Summary) -> Summary:
    assert gain.mean is not None
    assert gain.low is not None
    assert gain.high is not None
    return replace(gain, mean=-gain.mean, low=-gain.high, high=-gain.low)


def _beside(
    entries: Entries,
    layout: Layout,
    ours: Condition,
    purified: Iterable[Condition],
    metric: MetricInfo,
) -> str:
    """Beside which other purifiers the exploit fares better, worse, or cannot be told apart; true
    of a purifier that takes something, too."""
    groups: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for other in purified:
        side = side_of(gain(entries, ours, other, metric)) if other != ours else None
        if side is not None:
            groups[side].append(layout.title(other[1]))
    parts = [
        f"{verb} {listed(groups[side])}"
        for side, verb in ((1, "better than after"), (-1, "worse than after"))
        if groups[side]
    ]
    sentence = f"The exploit fares {' and '.join(parts)}." if parts else ""
    if groups[0]:
        sentence += f" Beside {listed(groups[0])} no difference is shown."
    return sentence.strip()


def paragraph(sentences: Iterable[str], metric: MetricInfo) -> str:
    """Those that say something, behind the metric's name and unit; "" if none does."""
    said = [sentence for sentence in sentences if sentence]
    unit = "percentage points" if metric.percent else metric.unit
    unit = f", in {unit}" if unit else ""
    return f"{metric.title}{unit}: " + " ".join(said) if said else ""
