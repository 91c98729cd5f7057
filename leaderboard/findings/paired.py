"""Paired differences between two conditions of a table, and what they may be taken to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.entries import ABSENT, Entry, Key
from impress_bench.leaderboard.statistics import Summary, summarize

#: The level of p for a mark.
LEVEL = 0.05
Condition = tuple[str, str]
Entries = Mapping[Key, Entry]


def primary_of(metrics: Sequence[MetricInfo]) -> MetricInfo | None:
    """The metric that sentences rest on, if its direction is known."""
    known = (one for one in metrics if one.primary and one.higher_is_better is not None)
    return next(known, None)


def gain(entries: Entries, one: Condition, other: Condition, metric: MetricInfo) -> Summary:
    """How much better the exploit fares in `one` than in `other`, by the metric's units."""
    return summarize(list(gains(entries, one, other, metric).values()))


def gains(
    entries: Entries, one: Condition, other: Condition, metric: MetricInfo
) -> dict[str, float]:
    """The same for each subject that both conditions have, in the order of their names."""
    first, second = (
        entries.get(Key(*side, metric.name), ABSENT).by_subject for side in (one, other)
    )
    if not metric.higher_is_better:
        first, second = second, first
    return {name: first[name] - second[name] for name in sorted(first.keys() & second.keys())}


def side_of(gain: Summary) -> int | None:
    """1 or -1 if the interval lies beyond 0 on that side, 0 if it holds 0, None without one and
    for too few subjects to conclude anything."""
    if gain.low is None or gain.high is None or gain.n < FEW:
        return None
    return 1 if gain.low > 0 else -1 if gain.high < 0 else 0


def is_shown(gain: Summary, p: float | None) -> bool:
    """Whether a tested difference earns its mark: p below .05 and, so that no mark contradicts the
    interval beside it, that beyond 0, with subjects enough."""
    return p is not None and p < LEVEL and side_of(gain) in (1, -1)
