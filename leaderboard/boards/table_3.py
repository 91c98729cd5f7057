"""Table 3: the weight of the consistency term, with one block per protection that has two weights.

Cao et al. 2023, Table 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Key, entry_records
from impress_bench.leaderboard.findings.variants import measured, variants
from impress_bench.leaderboard.findings.verdicts import weight_verdict
from impress_bench.leaderboard.layout import Layout, parsed
from impress_bench.leaderboard.paper import ADAPTIVE_SOURCE, TABLE_3, reported
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text
from impress_bench.leaderboard.statistics import ten_digits

NAME = "table-3"
#: The note in which the consistency term gives its share of the loss.
SHARE = "consistency-share"
TEXT = (
    "The effect of the weight of the consistency term: scores of the protected images under each "
    "weight, and of what the reference purifier makes of them, mean ± standard deviation over "
    "subjects. The share is that of the weighted term in the total loss at the last step, as the "
    "protection noted it; in the paper it ran from about 10 to 95 per cent over the same weights."
)


def build(cells: pd.DataFrame, notes: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the tables `cells` and `notes`, or None if no protection has two weights."""
    task = measured(cells, "mimicry", layout)
    none, purifier = layout.roles.no_purifier, layout.roles.purifier
    blocks: list[Block] = []
    conditions: list[tuple[str, str]] = []
    for plain, names in variants(task, "term", layout).items():
        weighted = sorted((_weight(name), name) for name in names)
        if len(weighted) < 2:
            continue
        footnotes, columns = Footnotes(), [plain, *[name for _, name in weighted]]
        rows = []
        for metric in task.metrics:
            for title, condition in (("Protected", none), (layout.title(purifier), purifier)):
                found = (
                    task.entries.get(Key(name, condition, metric.name), ABSENT) for name in columns
                )
                shown = [entry_text(e, metric.percent, footnotes, task.subjects) for e in found]
                rows.append([f"{metric.title}, {title}", *shown])
            rows += _reported_rows(metric, columns, layout, footnotes)
        rows.append(
            ["Share of the term in the loss", *[_mean_share(notes, name) for name in columns]]
        )
        named = {f"γ = {weight:g}": name for weight, name in weighted}
        text = weight_verdict(task.entries, layout, plain, named, task.metrics)
        headers = ["", "without", *named]
        blocks.append(Block(layout.title(plain), headers, rows, text, footnotes))
        conditions += [(name, state) for name in columns for state in (none, purifier)]
    if not blocks:
        return None
    records = entry_records(NAME, task.name, task.entries, conditions, task.metrics)
    title = "Table 3: the weight of the consistency term, style mimicry"
    return Board(NAME, title, TEXT, blocks, records)


def _weight(name: str) -> float:
    """The weight in the last adaptation of a name; 0, which sorts first, if none is written."""
    adaptations = parsed(name).adaptations
    weight = adaptations[-1].parameter("weight") if adaptations else None
    return float(weight) if weight is not None else 0.0


def _mean_share(notes: pd.DataFrame, name: str) -> str:
    """Mean of the noted shares over all images, in per cent."""
    rows = notes[(notes["protection"] == name) & (notes["note"] == SHARE)]
    return f"{100 * ten_digits(rows['value'].mean()):.0f} %" if len(rows) else ""


def _reported_rows(
    metric: MetricInfo, columns: Sequence[str], layout: Layout, footnotes: Footnotes
) -> list[list[str]]:
    """The paper's two lines, if the model is the paper's and it reports any of the columns."""
    if not layout.meta.paper:
        return []
    found = [reported(TABLE_3.get(metric.name, {}), name) for name in columns]
    if not any(found):
        return []
    mark = footnotes.mark(ADAPTIVE_SOURCE)
    return [
        [f"{metric.title}, {line}, the paper {mark}"]
        + ["" if pair is None else f"{pair[i]:.1f}" for pair in found]
        for i, line in enumerate(("Protected", layout.title(layout.roles.purifier)))
    ]
