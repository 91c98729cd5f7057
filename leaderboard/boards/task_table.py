"""Tables 1 and 2: a task's scores in the paper's layout, their comparisons and their controls.

There is one block per protection. Its rows are metrics; its columns are clean images, noise of the
same visibility, protected images, and every purifier under 'Post-processed'. The paper's own scores
stand below the run's if its model is the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, collect, entry_records
from impress_bench.leaderboard.findings import comparisons
from impress_bench.leaderboard.findings.tables import protection_findings
from impress_bench.leaderboard.layout import Layout, parsed, subjects_text
from impress_bench.leaderboard.paper import Reported
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text, numbers


@dataclass(frozen=True)
class TaskTable:
    """What one of the paper's tables shows.

    `task` is a part that `meta.Roles` fills. `text` explains the scores, `controls` those of the
    controls. `clean`: whether clean images get a column; scores that compare with what came of
    clean images have none. `scores` are the paper's, printed with `decimals`, from `source`.
    """

    name: str
    task: str
    title: str
    text: str
    controls: str
    clean: bool
    scores: Reported
    source: str
    decimals: int


Entries = Mapping[Key, Entry]
Condition = tuple[str, str]


def build(table: TaskTable, cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board of a table from the table `cells`, or None without cells of its task."""
    table = replace(table, task=layout.role(table.task))
    entries = collect(cells, table.task, [metric.name for metric in layout.declared(table.task)])
    if not entries:
        return None
    subjects = cells.loc[cells["task"] == table.task, "subject"].nunique()
    metrics = layout.metrics(table.task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    purifiers = layout.purifiers({key.purifier for key in entries} | set(layout.meta.purifiers))
    blocks: list[Block] = []
    records: list[Record] = []
    shown = [name for name in protections if layout.kind(name) == "protection"]
    # Adapted protections have Tables 3 to 6, and are shown here only if there are no others.
    for protection in [name for name in shown if not parsed(name).adaptations] or shown:
        columns = _columns(table, layout, protection, protections, purifiers)
        protected = (protection, layout.roles.no_purifier)
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
    first = [metric.title for metric in metrics if metric.primary]
    text = " ".join([table.text, *(f"Conclusions rest on one metric: {title}." for title in first)])
    return Board(table.name, table.title, text, blocks, records)


def _columns(
    table: TaskTable,
    layout: Layout,
    protection: str,
    protections: Iterable[str],
    purifiers: Iterable[str],
) -> dict[Condition, str]:
    """Conditions of a block and their titles: clean, noise, protected, then each purifier."""
    none = layout.roles.no_purifier
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
    """What noise is as visible as: the protection of the block, or another one."""
    reference = layout.matched(name)
    if reference is None:
        return layout.title(name)
    if layout.matches(name, protection):
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
    footnotes = Footnotes()
    for metric in metrics:
        row = [metric.title]
        for column in columns:
            entry = entries.get(Key(*column, metric.name), ABSENT)
            row.append(entry_text(entry, metric.percent, footnotes, subjects))
        rows.append(row)
        theirs = table.scores.get(metric.name, {}) if layout.meta.paper else {}
        if _families(protected) in theirs:
            printed = [_printed(theirs.get(_families(one)), table.decimals) for one in columns]
            rows.append([f"{metric.title}, the paper {footnotes.mark(table.source)}", *printed])
    heading = f"{layout.title(protected[0])}: {subjects_text(subjects)}"
    text = protection_findings(entries, layout, columns, protected, metrics)
    return Block(heading, headers, rows, text, footnotes, protected[0])


def _families(condition: Condition) -> Condition:
    """The registered names of a condition, by which the paper's scores are found."""
    return parsed(condition[0]).family, parsed(condition[1]).family


def _printed(score: tuple[float, float] | None, decimals: int) -> str:
    """One of the paper's scores as it stands there; nothing if it has none."""
    return "" if score is None else f"{score[0]:.{decimals}f} ± {score[1]:.{decimals}f}"


def _controls(
    table: TaskTable,
    entries: Entries,
    layout: Layout,
    conditions: Iterable[Condition],
    metrics: Sequence[MetricInfo],
    subjects: int,
) -> Block:
    """Floors, ceilings and damage, against which the scores above have to be read."""
    footnotes, rows = Footnotes(), []
    for name, purifier in conditions:
        row = [layout.condition(name, purifier)]
        for metric in metrics:
            entry = entries.get(Key(name, purifier, metric.name), ABSENT)
            row.append(entry_text(entry, metric.percent, footnotes, subjects))
        rows.append(row)
    chance = layout.meta.chance
    if any(metric.name in chance for metric in metrics):
        levels = [
            numbers([chance[m.name]], m.percent)[0] if m.name in chance else "" for m in metrics
        ]
        rows.append(["Chance (by construction, not measured)", *levels])
    headers = ["Control", *[metric.title for metric in metrics]]
    return Block("Controls and floors", headers, rows, table.controls, footnotes)
