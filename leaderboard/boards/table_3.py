"""Table 3: what the weight of the consistency term does; a block for every base with two."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards.paper import ADAPTIVE_SOURCE, TABLE_3
from impress_bench.leaderboard.boards.variants import measured, variants
from impress_bench.leaderboard.entries import ABSENT, Key, entry_records
from impress_bench.leaderboard.layout import Layout, parsed
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text

NAME = "table-3"
SHARE = "consistency-share"
TEXT = (
    "What the weight of the consistency term does: under each weight the protected images and what "
    "the reference purifier makes of them, mean ± standard deviation over subjects. The share is "
    "that of the weighted term in the total loss at the last step, as the protection noted it; the "
    "paper's weights let it run from about 10 to 95 per cent."
)


def build(cells: pd.DataFrame, notes: pd.DataFrame, layout: Layout) -> Board | None:
    """The board, or None where no weight was swept."""
    task = measured(cells, "mimicry", layout)
    none, purifier = layout.role("no_purifier"), layout.role("purifier")
    blocks: list[Block] = []
    conditions: list[tuple[str, str]] = []
    for base, names in variants(task, "term", layout).items():
        weighted = sorted((_weight(name), name) for name in names)
        if len(weighted) < 2:
            continue
        footnotes, columns = Notes(), [base, *[name for _, name in weighted]]
        rows = []
        for metric in task.metrics:
            for title, condition in (("Protected", none), (layout.title(purifier), purifier)):
                found = (
                    task.entries.get(Key(name, condition, metric.name), ABSENT) for name in columns
                )
                shown = [entry_text(e, metric.percent, footnotes, task.subjects) for e in found]
                rows.append([f"{metric.title}, {title}", *shown])
            rows += _theirs(metric, columns, layout, footnotes)
        shares = [_share(notes, name) for name in columns]
        rows.append(["Share of the term in the loss", *shares])
        titles = ["without", *[f"γ = {weight:g}" for weight, _ in weighted]]
        blocks.append(Block(layout.title(base), ["", *titles], rows, notes=footnotes))
        conditions += [(name, state) for name in columns for state in (none, purifier)]
    if not blocks:
        return None
    records = entry_records(NAME, task.name, task.entries, conditions, task.metrics)
    title = "Table 3: the weight of the consistency term, style mimicry"
    return Board(NAME, title, TEXT, blocks, records)


def _weight(name: str) -> float:
    """The weight that the last adaptation of a name gives; a default is not known here and sorts
    first, as does a name without adaptations."""
    adaptations = parsed(name).adaptations
    weight = adaptations[-1].parameter("weight") if adaptations else None
    return float(weight) if weight is not None else 0.0


def _share(notes: pd.DataFrame, name: str) -> str:
    """Mean of the noted shares over all images, in per cent."""
    rows = notes[(notes["protection"] == name) & (notes["note"] == SHARE)]
    return f"{100 * rows['value'].mean():.0f} %" if len(rows) else ""


def _theirs(
    metric: MetricInfo, columns: Sequence[str], layout: Layout, footnotes: Notes
) -> list[list[str]]:
    """The paper's two lines of Table 3 where the model is the paper's."""
    figures = TABLE_3.get(metric.name) if layout.meta.get("paper") else None
    if figures is None or parsed(columns[0]).family != "glaze":
        return []
    mark, weights = footnotes.mark(ADAPTIVE_SOURCE), [_weight(name) for name in columns]
    return [
        [f"{metric.title}, {line}, the paper {mark}"]
        + [f"{figures[weight][i]:.1f}" if weight in figures else "" for weight in weights]
        for i, line in enumerate(("Protected", layout.title(layout.role("purifier"))))
    ]
