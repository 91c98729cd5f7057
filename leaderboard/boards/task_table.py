"""A task's table in the paper's layout, its comparisons and its controls: Tables 1 and 2.

One block a protection: rows are metrics; columns clean, noise of the same visibility, protected,
and every purifier under 'Post-processed'. The paper's own figures stand below ours where the model
is the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards import comparisons
from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, collect, entry_records
from impress_bench.leaderboard.layout import Layout, base, parsed
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text


@dataclass(frozen=True)
class TaskTable:
    """What one of the paper's tables shows; `task` is the role of its task.

    `text` explains its figures, `controls` those below them. `clean`: whether clean images get a
    column; where scores are likenesses to what came of clean images they have none. `figures`, the
    paper's own as (mean, std) by metric, protection and purifier, are printed with `decimals`.
    """

    name: str
    task: str
    title: str
    text: str
    controls: str
    clean: bool
    figures: Mapping[str, Mapping[tuple[str, str], tuple[float, float]]]
    source: str
    decimals: int


Entries = Mapping[Key, Entry]
Condition = tuple[str, str]


def build(table: TaskTable, cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board, or None without cells of its task."""
    table = replace(table, task=layout.role(table.task))
    described = layout.meta.get("metrics", {}).get(table.task, ())
    entries = collect(cells, table.task, [item["name"] for item in described])
    if not entries:
        return None
    subjects = cells.loc[cells["task"] == table.task, "subject"].nunique()
    metrics = layout.metrics(table.task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    purifiers = layout.purifiers(
        {key.purifier for key in entries} | set(layout.meta.get("purifiers", ()))
    )
    blocks: list[Block] = []
    records: list[Record] = []
    shown = [name for name in protections if layout.kind(name) == "protection"]
    # Adapted protections have Tables 3 to 6; they come here if there is nothing else.
    for protection in [name for name in shown if not parsed(name).adaptations] or shown:
        columns = _columns(table, layout, protection, protections, purifiers)
        protected = (protection, layout.role("no_purifier"))
        lines = comparisons.compare(table.name, entries, layout, columns, protected, metrics)
        title = layout.title(protection)
        blocks.append(_scores(table, entries, layout, protected, columns, metrics, subjects))
        blocks.append(comparisons.block(f"{title}: paired comparisons", lines, metrics))
        records += entry_records(table.name, table.task, entries, columns, metrics)
        records += comparisons.records(table.task, lines, metrics)
    controls = [
        (name, purifier)
        for name in protections
        for purifier in purifiers
        if layout.kind(name) != "protection"
        and any(Key(name, purifier, metric.name) in entries for metric in metrics)
    ]
    blocks.append(_controls(table, entries, layout, controls, metrics, subjects))
    records += entry_records(f"{table.name}-controls", table.task, entries, controls, metrics)
    return Board(table.name, table.title, table.text, blocks, records)


def _columns(
    table: TaskTable,
    layout: Layout,
    protection: str,
    protections: Iterable[str],
    purifiers: Iterable[str],
) -> dict[Condition, str]:
    """Conditions of a block and their titles: clean, noise, protected, then each purifier."""
    none = layout.role("no_purifier")
    columns = {}
    for name in protections:
        if layout.kind(name) == "clean" and table.clean:
            columns[name, none] = layout.title(name)
        elif layout.kind(name) == "noise":
            columns[name, none] = _noise_title(layout, name, protection)
    columns[protection, none] = "Protected"
    # Controls have no purifier: "" is theirs.
    return columns | {(protection, p): layout.title(p) for p in purifiers if p not in (none, "")}


def _noise_title(layout: Layout, name: str, protection: str) -> str:
    """Noise is matched in visibility to one protection, which may be another."""
    reference = layout.matched(name)
    if reference is None:
        return layout.title(name)
    if reference in (protection, base(protection)):
        return "Matched noise"
    return f"Noise matched to {layout.title(reference)}"


def _scores(
    table: TaskTable,
    entries: Entries,
    layout: Layout,
    protected: Condition,
    columns: Mapping[Condition, str],
    metrics: Sequence[MetricInfo],
    subjects: int,
) -> Block:
    """The paper's table for one protection."""
    titles = list(columns.values())
    first = list(columns).index(protected) + 1
    headers, rows = ["Metric", *titles], []
    if titles[first:]:
        headers[first + 1 :] = ["Post-processed", *[""] * (len(titles) - first - 1)]
        rows.append([""] * (first + 1) + titles[first:])
    notes = Notes()
    for metric in metrics:
        row = [metric.title]
        for column in columns:
            entry = entries.get(Key(*column, metric.name), ABSENT)
            row.append(entry_text(entry, metric.percent, notes, subjects))
        rows.append(row)
        theirs = table.figures.get(metric.name, {}) if layout.meta.get("paper") else {}
        if (base(protected[0]), base(protected[1])) in theirs:
            pairs = [theirs.get((base(name), base(purifier))) for name, purifier in columns]
            figures = [_printed(pair, table.decimals) for pair in pairs]
            rows.append([f"{metric.title}, the paper {notes.mark(table.source)}", *figures])
    heading = f"{layout.title(protected[0])}: {subjects} subject{'s' * (subjects != 1)}"
    return Block(heading, headers, rows, notes=notes, protection=protected[0])


def _printed(figure: tuple[float, float] | None, decimals: int) -> str:
    """One of the paper's figures as it stands there."""
    return "" if figure is None else f"{figure[0]:.{decimals}f} ± {figure[1]:.{decimals}f}"


def _controls(
    table: TaskTable,
    entries: Entries,
    layout: Layout,
    conditions: Iterable[Condition],
    metrics: Sequence[MetricInfo],
    subjects: int,
) -> Block:
    """Floors and damage: what the numbers above have to be read against."""
    notes, rows = Notes(), []
    for name, purifier in conditions:
        row = [layout.condition(name, purifier)]
        for metric in metrics:
            entry = entries.get(Key(name, purifier, metric.name), ABSENT)
            row.append(entry_text(entry, metric.percent, notes, subjects))
        rows.append(row)
    chance = layout.meta.get("chance", {})
    if any(metric.name in chance for metric in metrics):
        levels = [f"{100 * chance[m.name]:.1f}" if m.name in chance else "" for m in metrics]
        rows.append(["Chance (by construction, not measured)", *levels])
    headers = ["Control", *[metric.title for metric in metrics]]
    return Block("Controls and floors", headers, rows, table.controls, notes)
