"""Tables 4 to 6: adapted protections beside plain ones, with one block per adapted protection.

Cao et al. 2023, Tables 4 to 6. The paper's own scores stand below the run's if its model is the
paper's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Key, Record, entry_records
from impress_bench.leaderboard.findings import comparisons
from impress_bench.leaderboard.findings.tables import adaptation_findings
from impress_bench.leaderboard.findings.variants import Task, measured, variants
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.paper import (
    ADAPTIVE_SOURCE,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    ReportedPairs,
    reported,
)
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text, numbers

PAIR_TEXT = (
    "The protection as it is and adapted, each as published and after the reference purifier: mean "
    "± standard deviation over subjects. Protections aim at low values, purifiers at high ones."
)

#: An adaptation is to pay after the purifier; what it costs without one is the other question.
SECONDARY = "the same before the purifier"


@dataclass(frozen=True)
class AdaptiveTable:
    """One of Tables 4 to 6.

    `task`, `adaptation` and `bracketed` are parts that `meta.Roles` fills: protections with the
    adaptation stand beside plain ones, and scores with the bracketed one behind theirs. `clean`:
    whether clean images get a column. `scores` are the paper's.
    """

    name: str
    task: str
    title: str
    adaptation: str
    clean: bool
    scores: ReportedPairs
    bracketed: str = ""


TABLES = (
    AdaptiveTable(
        "table-4", "mimicry", "Table 4: adaptive protection, style mimicry",
        "term", True, TABLE_4,
    ),
    AdaptiveTable(
        "table-5", "editing", "Table 5: adaptive protection, malicious editing",
        "term", False, TABLE_5,
    ),
    AdaptiveTable(
        "table-6", "mimicry", "Table 6: Orthogonal PGD, style mimicry",
        "orthogonal", True, TABLE_6, "term",
    ),
)  # fmt: skip


def build(cells: pd.DataFrame, layout: Layout) -> list[Board]:
    """Those of Tables 4 to 6 whose adapted protections are among the cells."""
    boards = [_pairs(table, measured(cells, table.task, layout), layout) for table in TABLES]
    return [board for board in boards if board is not None]


def _pairs(table: AdaptiveTable, task: Task, layout: Layout) -> Board | None:
    """One table, or None without its adapted protections."""
    none, purifier = layout.roles.no_purifier, layout.roles.purifier
    clean = [name for name in task.protections if layout.kind(name) == "clean"][: table.clean]
    blocks: list[Block] = []
    records: list[Record] = []
    for plain, names in variants(task, table.adaptation, layout).items():
        beside = variants(task, table.bracketed, layout).get(plain, []) if table.bracketed else []
        other = _chosen(beside, layout)
        for name in names:
            conditions = [(c, none) for c in clean]
            conditions += [(p, state) for p in (plain, name) for state in (none, purifier)]
            rows, footnotes = (
                [["", *[""] * len(clean), *["Protected", "Purified"] * 2]],
                Footnotes(),
            )
            for metric in task.metrics:
                texts = [
                    entry_text(
                        task.entries.get(Key(*condition, metric.name), ABSENT),
                        metric.percent, footnotes, task.subjects,
                    )
                    for condition in conditions
                ]  # fmt: skip
                if other:
                    texts[-2:] = [
                        f"{text} ({_bracketed(task, (other, state), metric)})"
                        for text, state in zip(texts[-2:], (none, purifier), strict=True)
                    ]
                rows.append([metric.title, *texts])
                rows += _reported_row(table, metric, name, layout, footnotes)
            heads = ["Metric", *["Clean" for _ in clean], "Without adaptation", ""]
            heads += [f"With {layout.title(name)}", ""]
            found = adaptation_findings(task.entries, layout, plain, name, purifier, task.metrics)
            brackets = f"In brackets: {layout.title(other)}." if other else ""
            text = " ".join(filter(None, [found, brackets]))
            blocks.append(Block(layout.title(name), heads, rows, text, footnotes, name))
            titles = {condition: layout.condition(*condition) for condition in conditions}
            pairs = [((c, none), (name, none)) for c in clean]
            bare, after = (((plain, state), (name, state)) for state in (none, purifier))
            pairs += [bare, after, *(((one, purifier), (one, none)) for one in (plain, name))]
            lines = comparisons.compare_pairs(
                table.name, task.entries, titles, pairs, after, [bare], task.metrics
            )
            heading = f"{layout.title(name)}: paired comparisons"
            blocks.append(comparisons.block(heading, lines, task.metrics, SECONDARY))
            records += entry_records(table.name, task.name, task.entries, conditions, task.metrics)
            records += comparisons.records(task.name, lines, task.metrics)
    return Board(table.name, table.title, PAIR_TEXT, blocks, records) if blocks else None


def _chosen(names: Iterable[str], layout: Layout) -> str:
    """The variant that is shown in brackets: the one that `meta.adaptive` names, else the only
    one; "" if there are several."""
    listed = list(names)
    named = [name for name in listed if name in layout.meta.adaptive]
    return (named or listed if len(listed) == 1 or named else [""])[0]


def _bracketed(task: Task, condition: tuple[str, str], metric: MetricInfo) -> str:
    mean = task.entries.get(Key(*condition, metric.name), ABSENT).summary.mean
    return "–" if mean is None else numbers([mean], metric.percent)[0]


def _reported_row(
    table: AdaptiveTable, metric: MetricInfo, name: str, layout: Layout, footnotes: Footnotes
) -> list[list[str]]:
    """The paper's own line, if the model is the paper's and it reports the row."""
    scores = reported(table.scores.get(metric.name, {}), name) if layout.meta.paper else None
    if scores is None:
        return []
    return [[f"{metric.title}, the paper {footnotes.mark(ADAPTIVE_SOURCE)}", *scores]]
