"""A run beside the IMPRESS paper, number by number: which orders agree, and which sizes.

Cao et al. 2023, Tables 1 to 6. Where the run's model is not the paper's, only orders can agree: the
sizes say how far the two worlds are apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Entry, Record, entry_records
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.findings.variants import Task, measured
from impress_bench.leaderboard.layout import Layout, parsed, subjects_text
from impress_bench.leaderboard.paper import (
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    Reported,
    ReportedPairs,
    refines,
)
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text
from impress_bench.leaderboard.statistics import paired_difference

NAME = "against-the-paper"
TEXT = (
    "The paper's scores beside this run's for the same rows: mean ± standard deviation over "
    "subjects. Each pair of rows whose means differ in the paper has an order. It holds here "
    "or is reversed if the 95 % interval of the paired difference lies on one side of 0; else it "
    "is undecided, as it is with fewer than six subjects. Rows that the run does not have are left "
    "out."
)
MINIATURE = (
    " The model of this run is a miniature: agreement in order is what it can show, agreement in "
    "size would be chance."
)

Condition = tuple[str, str]
#: metric -> condition -> the paper's mean
Means = Mapping[str, Mapping[Condition, float]]


class Row(NamedTuple):
    """A condition that both have: the run's names for it, the paper's mean, the run's entry."""

    condition: Condition
    theirs: float
    ours: Entry


def build(cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `cells`; None if the run has fewer than two rows of every table."""
    blocks: list[Block] = []
    records: list[Record] = []
    tasks = {role: measured(cells, role, layout) for role in ("mimicry", "editing")}
    for title, role, table in _tables():
        task = tasks[role]
        for metric in task.metrics:
            rows = _rows(table.get(metric.name, {}), task, metric)
            if len(rows) > 1:
                blocks.append(_block(title, rows, task, metric, layout))
                conditions = [row.condition for row in rows]
                records += entry_records(NAME, task.name, task.entries, conditions, [metric])
    text = TEXT + MINIATURE * layout.meta.model_is_miniature
    return Board(NAME, "Against the paper", text, blocks, records) if blocks else None


def _tables() -> list[tuple[str, str, Means]]:
    """Title, part of the task and means of each of the paper's tables."""
    return [
        ("Table 1", "mimicry", _means(TABLE_1)),
        ("Table 2", "editing", _means(TABLE_2)),
        ("Table 3", "mimicry", _weights()),
        ("Table 4", "mimicry", _pairs(TABLE_4)),
        ("Table 5", "editing", _pairs(TABLE_5)),
        ("Table 6", "mimicry", _pairs(TABLE_6)),
    ]


def _means(table: Reported) -> Means:
    return {name: {key: mean for key, (mean, _) in rows.items()} for name, rows in table.items()}


def _weights() -> Means:
    return {
        metric: {
            (protection, purifier): mean
            for protection, pair in rows.items()
            for purifier, mean in zip(("none", "impress"), pair, strict=True)
        }
        for metric, rows in TABLE_3.items()
    }


def _pairs(table: ReportedPairs) -> Means:
    """Clean, where a row has it, then protected and purified, without and with the adaptation."""
    means: dict[str, dict[Condition, float]] = {}
    for metric, rows in table.items():
        for adapted, texts in rows.items():
            plain = str(parsed(adapted).adapted)
            places = [(name, state) for name in (plain, adapted) for state in ("none", "impress")]
            places = [("identity", "none")] * (len(texts) - 4) + places
            values = [float(re.match(r"[\d.]+", text)[0]) for text in texts]  # type: ignore[index]
            means[metric] = dict(zip(places, values, strict=True))
    return means


def _rows(theirs: Mapping[Condition, float], task: Task, metric: MetricInfo) -> list[Row]:
    """The paper's rows of a metric that the run has too; of several, the first on display."""
    rows = []
    for (protection, purifier), mean in theirs.items():
        found = [
            (key, entry)
            for name in task.protections
            if refines(parsed(name), parsed(protection))
            for key, entry in task.entries.items()
            if key.protection == name
            and key.metric == metric.name
            and refines(parsed(key.purifier), parsed(purifier))
            and entry.summary.mean is not None
        ]
        if found:
            key, entry = found[0]
            rows.append(Row((key.protection, key.purifier), mean, entry))
    return rows


def _block(title: str, rows: list[Row], task: Task, metric: MetricInfo, layout: Layout) -> Block:
    """One metric of one table."""
    footnotes = Footnotes()
    lines = [
        [
            layout.condition(*row.condition),
            f"{row.theirs:g}",
            entry_text(row.ours, metric.percent, footnotes, task.subjects),
        ]
        for row in rows
    ]
    headers = ["", "The paper", "This run"]
    return Block(f"{title}: {metric.title}", headers, lines, _agreement(rows, layout), footnotes)


def _agreement(rows: list[Row], layout: Layout) -> str:
    """How many of the paper's orders this run has, has not, and cannot decide."""
    holds, undecided, few, reverse = 0, 0, 0, []
    pairs = [pair for pair in combinations(rows, 2) if pair[0].theirs != pair[1].theirs]
    for pair in pairs:
        below, above = sorted(pair, key=lambda row: row.theirs)
        side = side_of(paired_difference(above.ours.by_subject, below.ours.by_subject))
        holds += side == 1
        undecided += side in (0, None)
        few += side is None
        if side == -1:
            names = (layout.condition(*row.condition) for row in (below, above))
            reverse.append(" over ".join(names))
    if not pairs:
        return "The paper's means do not differ: there is no order to find again."
    orders = f"{len(pairs)} order{'s' * (len(pairs) != 1)}"
    if few == len(pairs):
        most = subjects_text(max(len(row.ours.by_subject) for row in rows))
        return f"{most}, too few to decide on the paper's {orders}."
    text = f"Of the paper's {orders}: {holds} hold here, {undecided} undecided"
    text += f" ({few} for lack of subjects)" * bool(few)
    return f"{text}, {len(reverse)} reversed" + (f" ({'; '.join(reverse)})." if reverse else ".")
