"""Adaptive protections in the paper's layout: Tables 3 to 6.

Whatever is adapted is read off the names: `base+consistency[weight=40]`, `base+o-pgd`. Every base
gets its blocks; what the paper's own model would be compared with stands below where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from impress_bench.leaderboard import comparisons
from impress_bench.leaderboard.layout import Layout, Metric, adapted
from impress_bench.leaderboard.paper import (
    ADAPTIVE_SOURCE,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    Adapted,
)
from impress_bench.leaderboard.records import ABSENT, Entry, Key, Record, collect, entry_records
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text

Entries = Mapping[Key, Entry]
SHARE = "consistency-share"

SWEEP_TEXT = (
    "What the weight of the consistency term does: under each weight the protected images and what "
    "the reference purifier makes of them, mean ± standard deviation over subjects. The share is "
    "that of the weighted term in the total loss at the last step, as the protection noted it; the "
    "paper's weights let it run from about 10 to 95 per cent."
)
PAIR_TEXT = (
    "The protection as it is and adapted, each as published and after the reference purifier: mean "
    "± standard deviation over subjects. Protections aim at low values, purifiers at high ones."
)


@dataclass(frozen=True)
class AdaptiveTable:
    """One of Tables 4 to 6: `adaptation` beside the plain protection, `bracketed` in brackets;
    both and `task` are roles."""

    name: str
    task: str
    title: str
    adaptation: str
    clean: bool
    figures: Mapping[str, Adapted]
    decimals: int
    bracketed: str = ""


TABLES = (
    AdaptiveTable(
        "table-4", "mimicry", "Table 4: adaptive protection, style mimicry",
        "term", True, TABLE_4, 1,
    ),
    AdaptiveTable(
        "table-5", "editing", "Table 5: adaptive protection, malicious editing",
        "term", False, TABLE_5, 2,
    ),
    AdaptiveTable(
        "table-6", "mimicry", "Table 6: Orthogonal PGD, style mimicry",
        "orthogonal", True, TABLE_6, 1, "term",
    ),
)  # fmt: skip


class Task(NamedTuple):
    """What was measured of one task."""

    name: str
    entries: Entries
    metrics: list[Metric]
    protections: list[str]
    subjects: int


def build(cells: pd.DataFrame, notes: pd.DataFrame, layout: Layout) -> list[Board]:
    """Those of Tables 3 to 6 for which something was run."""
    boards = [_sweep(_measured(cells, "mimicry", layout), notes, layout)]
    boards += [_pairs(table, _measured(cells, table.task, layout), layout) for table in TABLES]
    return [board for board in boards if board is not None]


def _measured(cells: pd.DataFrame, role: str, layout: Layout) -> Task:
    task = layout.role(role)
    described = layout.meta.get("metrics", {}).get(task, ())
    entries = collect(cells, task, [item["name"] for item in described])
    metrics = layout.metrics(task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    subjects = cells.loc[cells["task"] == task, "subject"].nunique()
    return Task(task, entries, metrics, protections, subjects)


def _variants(task: Task, role: str, layout: Layout) -> dict[str, list[str]]:
    """Protections adapted by what plays a role, by what they adapt."""
    adaptation = layout.role(role)
    found: dict[str, list[str]] = {}
    for name in task.protections:
        parts = adapted(name)
        if parts is not None and parts[1] == adaptation:
            found.setdefault(parts[0], []).append(name)
    return found


def _sweep(task: Task, notes: pd.DataFrame, layout: Layout) -> Board | None:
    """Table 3: every base with two weights or more."""
    none, purifier = layout.role("no_purifier"), layout.role("purifier")
    blocks: list[Block] = []
    conditions: list[tuple[str, str]] = []
    for base, variants in _variants(task, "term", layout).items():
        weighted = sorted((_weight(name), name) for name in variants)
        if len(weighted) < 2:
            continue
        footnotes, columns = Notes(), [base, *[name for _, name in weighted]]
        rows = []
        for metric in task.metrics:
            for title, condition in (("Protected", none), (layout.title(purifier), purifier)):
                cells = (
                    task.entries.get(Key(name, condition, metric.name), ABSENT) for name in columns
                )
                shown = [entry_text(e, metric.percent, footnotes, task.subjects) for e in cells]
                rows.append([f"{metric.title}, {title}", *shown])
            rows += _theirs(metric, columns, layout, footnotes)
        shares = [_share(notes, name) for name in columns]
        rows.append(["Share of the term in the loss", *shares])
        titles = ["without", *[f"γ = {weight:g}" for weight, _ in weighted]]
        blocks.append(Block(layout.title(base), ["", *titles], rows, notes=footnotes))
        conditions += [(name, state) for name in columns for state in (none, purifier)]
    if not blocks:
        return None
    records = entry_records("table-3", task.name, task.entries, conditions, task.metrics)
    title = "Table 3: the weight of the consistency term, style mimicry"
    return Board("table-3", title, SWEEP_TEXT, blocks, records)


def _weight(name: str) -> float:
    """The weight that a name gives; the default is not known here and sorts first."""
    found = re.search(r"[\[,]weight=([^,\]]+)\]?[^\]]*\]$", name)
    return float(found[1]) if found else 0.0


def _share(notes: pd.DataFrame, name: str) -> str:
    """Mean of the noted shares over all images, in per cent."""
    rows = notes[(notes["protection"] == name) & (notes["note"] == SHARE)]
    return f"{100 * rows['value'].mean():.0f} %" if len(rows) else ""


def _theirs(
    metric: Metric, columns: Sequence[str], layout: Layout, footnotes: Notes
) -> list[list[str]]:
    """The paper's two lines of Table 3 where the model is the paper's."""
    figures = TABLE_3.get(metric.name) if layout.meta.get("paper") else None
    if figures is None or columns[0].partition("[")[0] != "glaze":
        return []
    mark, weights = footnotes.mark(ADAPTIVE_SOURCE), [_weight(name) for name in columns]
    return [
        [f"{metric.title}, {line}, the paper {mark}"]
        + [f"{figures[weight][i]:.1f}" if weight in figures else "" for weight in weights]
        for i, line in enumerate(("Protected", layout.title(layout.role("purifier"))))
    ]


def _pairs(table: AdaptiveTable, task: Task, layout: Layout) -> Board | None:
    """Tables 4 to 6: a block for every adapted protection."""
    none, purifier = layout.role("no_purifier"), layout.role("purifier")
    clean = [name for name in task.protections if layout.kind(name) == "clean"][: table.clean]
    blocks: list[Block] = []
    records: list[Record] = []
    for base, variants in _variants(task, table.adaptation, layout).items():
        beside = _variants(task, table.bracketed, layout).get(base, []) if table.bracketed else []
        other = _chosen(beside, layout)
        for name in variants:
            conditions = [(c, none) for c in clean]
            conditions += [(p, state) for p in (base, name) for state in (none, purifier)]
            rows, footnotes = [["", *[""] * len(clean), *["Protected", "Purified"] * 2]], Notes()
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
                rows += _printed(table, metric, base, layout, footnotes)
            heads = ["Metric", *["Clean" for _ in clean], "Without adaptation", ""]
            heads += [f"With {layout.title(name)}", ""]
            text = f"In brackets: {layout.title(other)}." if other else ""
            blocks.append(Block(layout.title(name), heads, rows, text, footnotes, name))
            titles = {condition: layout.condition(*condition) for condition in conditions}
            lines = comparisons.compare(
                table.name, task.entries, layout, titles, (name, none), task.metrics
            )
            heading = f"{layout.title(name)}: paired comparisons"
            blocks.append(comparisons.block(heading, lines, task.metrics))
            records += entry_records(table.name, task.name, task.entries, conditions, task.metrics)
            records += comparisons.records(task.name, lines, task.metrics)
    return Board(table.name, table.title, PAIR_TEXT, blocks, records) if blocks else None


def _chosen(names: Iterable[str], layout: Layout) -> str:
    """The variant that is shown in brackets: the one the run names, else the only one."""
    listed = list(names)
    named = [name for name in listed if name in layout.meta.get("adaptive", ())]
    return (named or listed if len(listed) == 1 or named else [""])[0]


def _bracketed(task: Task, condition: tuple[str, str], metric: Metric) -> str:
    mean = task.entries.get(Key(*condition, metric.name), ABSENT).summary.mean
    return "–" if mean is None else f"{100 * mean:.1f}" if metric.percent else f"{mean:.3g}"


def _printed(
    table: AdaptiveTable, metric: Metric, base: str, layout: Layout, footnotes: Notes
) -> list[list[str]]:
    """The paper's own line where the model is the paper's."""
    figures = table.figures.get(metric.name) if layout.meta.get("paper") else None
    if figures is None or base.partition("[")[0] not in ("glaze", "photoguard-diffusion"):
        return []
    return [[f"{metric.title}, the paper {footnotes.mark(ADAPTIVE_SOURCE)}", *figures]]
