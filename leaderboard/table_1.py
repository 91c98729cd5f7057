"""Table 1: style mimicry in the paper's layout, its comparisons and its controls.

One block a protection: rows are metrics; columns clean, noise of the same visibility, protected,
and every purifier under 'Post-processed'. The paper's own figures stand below ours where the model
is the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from impress_bench.leaderboard import comparisons
from impress_bench.leaderboard.layout import TABLE_1_TASK, Layout, Metric, base
from impress_bench.leaderboard.paper import TABLE_1, TABLE_1_SOURCE
from impress_bench.leaderboard.records import ABSENT, Entry, Key, Record, collect, entry_records
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text

NAME = "table-1"
TEXT = (
    "Share of generated images, in per cent, that a classifier places in the imitated subject's"
    " own style: the mean over subjects ± the standard deviation over subjects, seeds averaged "
    "first. A model is fine-tuned on a subject's images as the column says, and then asked for "
    "new ones. Protections aim at low values, purifiers at high ones."
)
CONTROLS = (
    "Clean images through a purifier show the damage the purifier does by itself; noise through"
    " a purifier, what it does to a perturbation nobody optimised. Models that never saw the "
    "subject's images, or learned from another movement, show how high a score is for free."
)

Entries = Mapping[Key, Entry]
Condition = tuple[str, str]


def build(cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board, or None without cells of its task."""
    described = layout.meta.get("metrics", {}).get(TABLE_1_TASK, ())
    entries = collect(cells, TABLE_1_TASK, [item["name"] for item in described])
    if not entries:
        return None
    subjects = cells.loc[cells["task"] == TABLE_1_TASK, "subject"].nunique()
    metrics = layout.metrics(TABLE_1_TASK, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    purifiers = layout.purifiers(
        {key.purifier for key in entries} | set(layout.meta.get("purifiers", ()))
    )
    blocks: list[Block] = []
    records: list[Record] = []
    for protection in [name for name in protections if layout.kind(name) == "protection"]:
        columns = _columns(layout, protection, protections, purifiers)
        protected = (protection, layout.role("no_purifier"))
        lines = comparisons.compare(NAME, entries, layout, columns, protected, metrics)
        title = layout.title(protection)
        blocks.append(_scores(entries, layout, protected, columns, metrics, subjects))
        blocks.append(comparisons.block(f"{title}: paired comparisons", lines, metrics))
        records += entry_records(NAME, TABLE_1_TASK, entries, columns, metrics)
        records += comparisons.records(TABLE_1_TASK, lines, metrics)
    controls = [
        (name, purifier)
        for name in protections
        for purifier in purifiers
        if layout.kind(name) != "protection"
        and any(Key(name, purifier, metric.name) in entries for metric in metrics)
    ]
    blocks.append(_controls(entries, layout, controls, metrics, subjects))
    records += entry_records(f"{NAME}-controls", TABLE_1_TASK, entries, controls, metrics)
    return Board(NAME, "Table 1: style mimicry", TEXT, blocks, records)


def _columns(
    layout: Layout, protection: str, protections: Iterable[str], purifiers: Iterable[str]
) -> dict[Condition, str]:
    """Conditions of a block and their titles: clean, noise, protected, then each purifier."""
    none = layout.role("no_purifier")
    columns = {}
    for name in protections:
        if layout.kind(name) == "clean":
            columns[name, none] = layout.title(name)
        elif layout.kind(name) == "noise":
            columns[name, none] = _noise_title(layout, name, protection)
    columns[protection, none] = "Protected"
    # Controls have no purifier: "" is theirs.
    return columns | {(protection, p): layout.title(p) for p in purifiers if p not in (none, "")}


def _noise_title(layout: Layout, name: str, protection: str) -> str:
    """Noise is matched in visibility to the reference protection, which may be another one."""
    reference = layout.meta.get("reference_protection")
    if name != base(name) or reference is None:
        return layout.title(name)
    if reference in (protection, base(protection)):
        return "Matched noise"
    return f"Noise matched to {layout.title(reference)}"


def _scores(
    entries: Entries,
    layout: Layout,
    protected: Condition,
    columns: Mapping[Condition, str],
    metrics: Sequence[Metric],
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
        theirs = TABLE_1.get(metric.name, {}) if layout.meta.get("paper") else {}
        if (base(protected[0]), base(protected[1])) in theirs:
            pairs = [theirs.get((base(name), base(purifier))) for name, purifier in columns]
            figures = [f"{pair[0]:.1f} ± {pair[1]:.1f}" if pair else "" for pair in pairs]
            rows.append([f"{metric.title}, the paper {notes.mark(TABLE_1_SOURCE)}", *figures])
    heading = f"{layout.title(protected[0])}: {subjects} subject{'s' * (subjects != 1)}"
    return Block(heading, headers, rows, notes=notes, protection=protected[0])


def _controls(
    entries: Entries,
    layout: Layout,
    conditions: Iterable[Condition],
    metrics: Sequence[Metric],
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
    return Block("Controls and floors", headers, rows, CONTROLS, notes)
