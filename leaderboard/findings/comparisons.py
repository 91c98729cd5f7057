"""Paired comparisons of conditions: differences, and the share of a loss that a purifier recovers.

Both sides of a comparison share subjects, prompts and noise, so that differences between subjects
cancel. A comparison covers the subjects that both sides have and records the state of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, differing, record
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.layout import Layout, base
from impress_bench.leaderboard.render import Block, interval_text
from impress_bench.leaderboard.statistics import (
    Summary,
    holm,
    paired_difference,
    recovered_share,
    sign_flip_p,
    ten_digits,
)

Condition = tuple[str, str]
Pair = tuple[Condition, Condition]

TEXT = (
    "Differences in the units of the table above with 95 % intervals, Student's t over paired "
    "subject differences; if an interval contains 0, the data do not separate the two. n counts "
    "the subjects that both sides have."
)
SHARES = (
    " The recovered share is (purified − protected) / (clean − protected) in per cent, with a "
    "bootstrap over subjects: at 0 nothing is recovered, at 100 everything, and values may lie "
    "outside. It has no interval with fewer than six subjects, or if more than 2.5 % of the "
    "resamples show no loss, and is a dash if there was no loss."
)


#: The level of p for a mark.
LEVEL = 0.05
TESTED = (
    " p: two-sided sign-flip test of {title} over subjects, adjusted by Holm's method for all "
    "comparisons here that have one; * below .05, with an interval beyond 0 and six subjects or "
    "more."
)
UNREACHABLE = (
    " {subjects} subjects and {tests} comparisons allow no p below {least}, so that none can be "
    "marked. The intervals, and the sentences above, are not adjusted."
)


class Comparison(NamedTuple):
    """One line: its label, how records name it, and per metric a summary, a state and a reason.

    `p` is that of the primary metric, adjusted for the comparisons of its table that are tested;
    None if this one is not.
    """

    label: str
    table: str
    names: Condition
    results: list[tuple[Summary, str, str | None]]
    p: float | None = None


def block(heading: str, comparisons: Sequence[Comparison], metrics: Sequence[MetricInfo]) -> Block:
    """The comparisons as a block of a board."""
    shares = any(line.table.endswith("share") for line in comparisons)
    tested = any(line.p is not None for line in comparisons)
    primary = _primary(metrics)
    text = TEXT + SHARES * shares
    if tested and primary is not None:
        text += TESTED.format(title=metrics[primary].title)
        text += _unreachable([line for line in comparisons if line.p is not None], primary)
    rows = []
    for line in comparisons:
        share = line.table.endswith("share")
        cells = [
            interval_text(summary, share or metric.percent, signed=not share)
            for metric, (summary, _, _) in zip(metrics, line.results, strict=True)
        ]
        sizes = dict.fromkeys(str(summary.n) for summary, _, _ in line.results)
        p = [] if not tested else [_p_text(line, line.results[primary or 0][0])]
        rows.append([line.label, *cells, *p, " / ".join(sizes)])
    headers = ["Comparison", *[metric.title for metric in metrics], *["p"] * tested, "n"]
    return Block(heading, headers, rows, text)


def records(
    task: str, comparisons: Sequence[Comparison], metrics: Sequence[MetricInfo]
) -> list[Record]:
    """The comparisons as records; a difference of `a` and `b` is named `a - b`."""
    primary = _primary(metrics)
    return [
        record(
            line.table, task, Key(*line.names, metric.name), summary, metric.higher_is_better,
            state, reason, line.p if place == primary else None,
        )
        for line in comparisons
        for place, (metric, (summary, state, reason)) in enumerate(
            zip(metrics, line.results, strict=True)
        )
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
    tested = [pair for pair in pairs if _is_contrast(pair[0], protected, layout)]
    pairs += [(one, other) for one in ours for other in post if other not in ours]
    lines = compare_pairs(table, entries, columns, pairs, tested, metrics)
    for clean in [column for column in order if layout.kind(column[0]) == "clean"]:
        for purified in post:
            sides = (clean, protected, purified)
            shares = [_share(entries, sides, metric) for metric in metrics]
            label = f"Recovered share, {columns[purified]}"
            lines.append(Comparison(label, f"{table}-recovered-share", purified, shares))
    return lines


def compare_pairs(
    table: str,
    entries: Mapping[Key, Entry],
    titles: Mapping[Condition, str],
    pairs: Sequence[Pair],
    tested: Collection[Pair],
    metrics: Sequence[MetricInfo],
) -> list[Comparison]:
    """The first of each pair of conditions less the second, of which those in `tested` have p."""
    lines = []
    for one, other in pairs:
        label = f"{titles[one]} − {titles[other]}"
        names = (_span(one[0], other[0]), _span(one[1], other[1]))
        results = [_difference(entries, one, other, metric) for metric in metrics]
        lines.append(Comparison(label, f"{table}-differences", names, results))
    return _tested(lines, pairs, tested, entries, metrics)


def _is_contrast(one: Condition, protected: Condition, layout: Layout) -> bool:
    """Whether a difference from `protected` is tested. That of clean images is not, since what a
    perturbation without an objective takes is no protection; nor is that of noise that is as
    visible as another protection."""
    kind = layout.kind(one[0])
    unmatched = kind == "noise" and not layout.matches(one[0], protected[0])
    return kind != "clean" and not unmatched


def _tested(
    lines: list[Comparison],
    pairs: Sequence[Pair],
    tested: Collection[Pair],
    entries: Mapping[Key, Entry],
    metrics: Sequence[MetricInfo],
) -> list[Comparison]:
    """The differences with p where they are tested, on the primary metric."""
    place = _primary(metrics)
    if place is None:
        return lines
    found: dict[int, float] = {}
    for at, (one, other) in enumerate(pairs):
        if (one, other) not in tested:
            continue
        name = metrics[place].name
        a, b = (entries.get(Key(*side, name), ABSENT).by_subject for side in (one, other))
        p = sign_flip_p([a[subject] - b[subject] for subject in sorted(a.keys() & b.keys())])
        if p is not None:
            found[at] = p
    adjusted = dict(zip(found, holm(list(found.values())), strict=True))
    rounded = {at: ten_digits(p) for at, p in adjusted.items()}
    return [line._replace(p=rounded.get(at)) for at, line in enumerate(lines)]


def _primary(metrics: Sequence[MetricInfo]) -> int | None:
    """The place of the primary metric; None without one."""
    return next((place for place, metric in enumerate(metrics) if metric.primary), None)


def _unreachable(tested: Sequence[Comparison], primary: int) -> str:
    """What to make of it where no p can be low enough; "" where one can."""
    subjects = max(line.results[primary][0].n for line in tested)
    least = len(tested) * 2.0 ** (1 - subjects)  # all differences of one sign, times Holm's factor
    if subjects < FEW or least < LEVEL:
        return ""
    told = f"{min(least, 1):.3f}".lstrip("0")
    return UNREACHABLE.format(subjects=subjects, tests=len(tested), least=told)


def _p_text(line: Comparison, primary: Summary) -> str:
    if line.p is None:
        return ""
    # Both, so that no mark contradicts the sentence above it, which goes by the interval.
    mark = " *" if line.p < LEVEL and side_of(primary) else ""
    return ("< .001" if line.p < 0.001 else f"{line.p:.3f}".lstrip("0")) + mark


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
    if share.n < FEW:  # a bootstrap of so few is too narrow
        share = share._replace(low=None, high=None)
    return share, *differing(*sides)


def _span(one: str, other: str) -> str:
    """How a record names the two sides of a difference."""
    return one if one == other else f"{one} - {other}"
