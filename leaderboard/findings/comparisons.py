"""Paired comparisons of conditions: differences, and the share of a loss that a purifier recovers.

Both sides of a comparison share subjects, prompts and noise, so that differences between subjects
cancel. A comparison covers the subjects that both sides have and records the state of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.coverage import coverage_text
from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, differing, record
from impress_bench.leaderboard.findings.paired import LEVEL, is_shown
from impress_bench.leaderboard.layout import Layout, base
from impress_bench.leaderboard.render import Block, interval_text, p_text
from impress_bench.leaderboard.significance import holm, least_p, sign_flip_p
from impress_bench.leaderboard.statistics import (
    Summary,
    paired_difference,
    recovered_share,
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
    " The recovered share is (purified − protected) / (clean − protected) in per cent, with "
    "Fieller's interval for a ratio of paired means: at 0 nothing is recovered, at 100 everything, "
    "and values may lie outside. It has no interval with fewer than six subjects, or if that of "
    "the loss, clean − protected, holds 0, and is a dash if there was no loss."
)
#: So many purifiers beside the reference one are tested. With the matched noise they are six, the
#: most for which Holm's method leaves eight subjects a p below .05.
OTHERS = 5
SECONDARY = "the matched noise and the first five other purifiers in the order of the preset"
PRIMARY_TEXT = "Primary, the same in every run and not adjusted: {label}."
SECONDARY_TEXT = (
    "Secondary, adjusted by Holm's method among themselves: {secondary}. Further comparisons have "
    "no p."
)
TESTED = (
    "p: two-sided sign-flip test of {title} over subjects; * below .05, with an interval beyond 0 "
    "and six subjects or more."
)
UNREACHABLE = (
    "{subjects} subjects and {tests} secondary comparisons allow no p below {least}, so that none "
    "of these can be marked."
)
UNADJUSTED = "The intervals, and the sentences above, are not adjusted."


class Comparison(NamedTuple):
    """One line: its label, how records name it, and per metric a summary, a state and a reason.

    `p` is that of the primary metric, adjusted unless this is the primary comparison; None if it is
    not tested.
    """

    label: str
    table: str
    names: Condition
    results: list[tuple[Summary, str, str | None]]
    p: float | None = None
    is_primary: bool = False


def block(
    heading: str,
    comparisons: Sequence[Comparison],
    metrics: Sequence[MetricInfo],
    secondary: str = SECONDARY,
) -> Block:
    """The comparisons as a block of a board; `secondary` says which are that."""
    shares = any(line.table.endswith("share") for line in comparisons)
    tested = any(line.p is not None for line in comparisons)
    primary = _primary(metrics)
    most = max((summary.n for line in comparisons for summary, _, _ in line.results), default=0)
    kinds = ["difference", *["recovered"] * shares]
    texts = [TEXT + SHARES * shares, coverage_text([most], *kinds)]
    if tested and primary is not None:
        texts += _tested_text(comparisons, primary, metrics[primary].title, secondary)
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
    return Block(heading, headers, rows, " ".join(filter(None, texts)))


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
    Each is compared with `protected`, and the reference purifier with each other purifier. The
    primary comparison is that of the reference purifier with `protected`.
    """
    order = list(columns)
    post = order[order.index(protected) + 1 :]
    ours = [column for column in post if base(column[1]) == layout.roles.purifier]
    pairs = [(column, protected) for column in order if column != protected]
    run = {key[:2] for key in entries}
    others = [column for column in post if column not in ours[:1] and column in run]
    # What a perturbation without an objective takes from clean images is no protection, and noise
    # as visible as another protection is no control of this one: neither is tested.
    matched = [column for column in order if layout.matches(column[0], protected[0])]
    secondary = [(column, protected) for column in [*matched, *others[:OTHERS]]]
    primary = (ours[0], protected) if ours else None
    pairs += [(one, other) for one in ours for other in post if other not in ours]
    lines = compare_pairs(table, entries, columns, pairs, primary, secondary, metrics)
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
    primary: Pair | None,
    secondary: Collection[Pair],
    metrics: Sequence[MetricInfo],
) -> list[Comparison]:
    """The first of each pair of conditions less the second. `primary` is tested alone, those in
    `secondary` together."""
    lines = []
    for one, other in pairs:
        label = f"{titles[one]} − {titles[other]}"
        names = (_span(one[0], other[0]), _span(one[1], other[1]))
        results = [_difference(entries, one, other, metric) for metric in metrics]
        lines.append(Comparison(label, f"{table}-differences", names, results))
    return _tested(lines, pairs, primary, secondary, entries, metrics)


def _tested(
    lines: list[Comparison],
    pairs: Sequence[Pair],
    primary: Pair | None,
    secondary: Collection[Pair],
    entries: Mapping[Key, Entry],
    metrics: Sequence[MetricInfo],
) -> list[Comparison]:
    """The differences with p where they are tested, on the primary metric."""
    place = _primary(metrics)
    if place is None:
        return lines
    found: dict[Pair, float] = {}
    for one, other in [pair for pair in pairs if pair == primary or pair in secondary]:
        name = metrics[place].name
        a, b = (entries.get(Key(*side, name), ABSENT).by_subject for side in (one, other))
        p = sign_flip_p([a[subject] - b[subject] for subject in sorted(a.keys() & b.keys())])
        if p is not None:
            found[one, other] = p
    family = [pair for pair in found if pair != primary]
    found.update(zip(family, holm([found[pair] for pair in family]), strict=True))
    rounded = {pair: ten_digits(p) for pair, p in found.items()}
    return [
        line._replace(p=rounded.get(pair), is_primary=pair == primary)
        for line, pair in zip(lines, pairs, strict=True)
    ]


def _primary(metrics: Sequence[MetricInfo]) -> int | None:
    """The place of the primary metric; None without one."""
    return next((place for place, metric in enumerate(metrics) if metric.primary), None)


def _tested_text(
    comparisons: Sequence[Comparison], metric: int, title: str, secondary: str
) -> list[str]:
    """What was tested and how, and what to make of it where no secondary p can be low enough;
    `metric` is the place of the primary one."""
    tested = [line for line in comparisons if line.p is not None]
    family = [line for line in tested if not line.is_primary]
    texts = [TESTED.format(title=title)]
    texts += [PRIMARY_TEXT.format(label=line.label) for line in tested if line.is_primary]
    if family:
        texts.append(SECONDARY_TEXT.format(secondary=secondary))
        subjects = max(line.results[metric][0].n for line in family)
        least = least_p(subjects, len(family))
        if subjects >= FEW and least >= LEVEL:
            told = p_text(least)
            texts.append(UNREACHABLE.format(subjects=subjects, tests=len(family), least=told))
    return [*texts, UNADJUSTED]


def _p_text(line: Comparison, primary: Summary) -> str:
    return p_text(line.p) + " *" * is_shown(primary, line.p)


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
    if share.n < FEW:  # of so few nothing is concluded
        share = replace(share, low=None, high=None)
    return share, *differing(*sides)


def _span(one: str, other: str) -> str:
    """How a record names the two sides of a difference."""
    return one if one == other else f"{one} - {other}"
