"""Paired comparisons of conditions: differences, and the share of a loss that a purifier recovers.

Both sides of a comparison share subjects, prompts and noise, so that differences between subjects
cancel. A comparison covers the subjects that both sides have and records the state of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, differing, record
from impress_bench.leaderboard.layout import Layout, base
from impress_bench.leaderboard.render import Block, interval_text
from impress_bench.leaderboard.statistics import Summary, paired_difference, recovered_share

Condition = tuple[str, str]

TEXT = (
    "Differences in the units of the table above with 95 % intervals, Student's t over paired "
    "subject differences; if an interval contains 0, the data do not separate the two. n counts "
    "the subjects that both sides have."
)
SHARES = (
    " The recovered share is (purified − protected) / (clean − protected) in per cent, with a "
    "bootstrap over subjects: at 0 nothing is recovered, at 100 everything, and values may lie "
    "outside. It has no interval if the loss itself may be 0, and is a dash if there was no loss."
)


class Comparison(NamedTuple):
    """One line: its label, how records name it, and per metric a summary, a state and a reason."""

    label: str
    table: str
    names: Condition
    results: list[tuple[Summary, str, str | None]]


def block(heading: str, comparisons: Sequence[Comparison], metrics: Sequence[MetricInfo]) -> Block:
    """The comparisons as a block of a board."""
    rows, text = [], TEXT
    for line in comparisons:
        share = line.table.endswith("share")
        text = TEXT + SHARES if share else text
        cells = [
            interval_text(summary, share or metric.percent, signed=not share)
            for metric, (summary, _, _) in zip(metrics, line.results, strict=True)
        ]
        sizes = dict.fromkeys(str(summary.n) for summary, _, _ in line.results)
        rows.append([line.label, *cells, " / ".join(sizes)])
    return Block(heading, ["Comparison", *[metric.title for metric in metrics], "n"], rows, text)


def records(
    task: str, comparisons: Sequence[Comparison], metrics: Sequence[MetricInfo]
) -> list[Record]:
    """The comparisons as records; a difference of `a` and `b` is named `a - b`."""
    return [
        record(line.table, task, Key(*line.names, metric.name), summary,
               metric.higher_is_better, state, reason)
        for line in comparisons
        for metric, (summary, state, reason) in zip(metrics, line.results, strict=True)
    ]  # fmt: skip


def compare(
    table: str,
    entries: Mapping[Key, Entry],
    layout: Layout,
    columns: Mapping[Condition, str],
    protected: Condition,
    metrics: Sequence[MetricInfo],
) -> list[Comparison]:
    """All comparisons of one protection.

    `columns` maps conditions to titles: unprotected ones, then `protected`, then purified ones.
    Each is compared with `protected`, and the reference purifier with each other purifier.
    """
    order = list(columns)
    post = order[order.index(protected) + 1 :]
    ours = [column for column in post if base(column[1]) == layout.roles.purifier]
    pairs = [(column, protected) for column in order if column != protected]
    pairs += [(one, other) for one in ours for other in post if other not in ours]
    lines = []
    for one, other in pairs:
        label = f"{columns[one]} − {columns[other]}"
        names = (_span(one[0], other[0]), _span(one[1], other[1]))
        results = [_difference(entries, one, other, metric) for metric in metrics]
        lines.append(Comparison(label, f"{table}-differences", names, results))
    for clean in [column for column in order if layout.kind(column[0]) == "clean"]:
        for purified in post:
            sides = (clean, protected, purified)
            shares = [_share(entries, sides, metric) for metric in metrics]
            label = f"Recovered share, {columns[purified]}"
            lines.append(Comparison(label, f"{table}-recovered-share", purified, shares))
    return lines


def _difference(
    entries: Mapping[Key, Entry], one: Condition, other: Condition, metric: MetricInfo
) -> tuple[Summary, str, str | None]:
    a, b = (entries.get(Key(*side, metric.name), ABSENT) for side in (one, other))
    return paired_difference(a.by_subject, b.by_subject), *differing(a, b)


def _share(
    entries: Mapping[Key, Entry], conditions: tuple[Condition, ...], metric: MetricInfo
) -> tuple[Summary, str, str | None]:
    sides = [entries.get(Key(*condition, metric.name), ABSENT) for condition in conditions]
    clean, protected, purified = (side.by_subject for side in sides)
    share = recovered_share(clean, protected, purified, metric.higher_is_better is not False)
    if share.n and share.mean is None:
        return share, "skipped", "the protection took nothing on average"
    return share, *differing(*sides)


def _span(one: str, other: str) -> str:
    """How a record names the two sides of a difference."""
    return one if one == other else f"{one} - {other}"
