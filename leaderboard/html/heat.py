"""Heat maps, protection by purifier, with the texts of the matrix boards, and what a cell opens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards import matrix
from impress_bench.leaderboard.entries import Entry, Key
from impress_bench.leaderboard.findings.variants import Task, measured_task
from impress_bench.leaderboard.html.ranks import rank_intervals
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, interval_text, numbers
from impress_bench.leaderboard.statistics import ten_digits

#: Steps of the colour scale.
LEVELS = 9


class HeatCell(NamedTuple):
    """The text of the matrix board, a step of the scale (None: no number), and the place of the
    cell's record (None: not part of the run)."""

    text: str
    level: int | None
    record: int | None


class HeatMap(NamedTuple):
    """One metric of a task: rows are protections, columns purifiers."""

    task: str
    metric: MetricInfo
    text: str
    footnotes: Sequence[str]
    purifiers: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]
    #: Rank intervals by protection, a text per purifier, "" for what has no rank.
    ranks: Sequence[tuple[str, Sequence[str]]]


def heat_maps(
    cells: pd.DataFrame, layout: Layout, task: str
) -> tuple[list[HeatMap], list[dict[str, Any]]]:
    """The heat maps of a task, and the records of their cells for the page's scripts."""
    board = matrix.build(cells, layout, task)
    if board is None:
        return [], []
    found = measured_task(cells, task, layout)
    subjects = sorted({str(name) for name in cells.loc[cells["task"] == task, "subject"]})
    maps: list[HeatMap] = []
    records: list[dict[str, Any]] = []
    for metric, block in zip(found.metrics, board.blocks, strict=True):
        maps.append(_map(found, metric, block, subjects, layout, records))
    return maps, records


def _map(
    found: Task,
    metric: MetricInfo,
    block: Block,
    subjects: Sequence[str],
    layout: Layout,
    records: list[dict[str, Any]],
) -> HeatMap:
    none = layout.roles.no_purifier
    purifiers = layout.purifiers({key.purifier or none for key in found.entries})
    entries: list[list[tuple[str, Entry | None]]] = []
    for protection in found.protections:
        line: list[tuple[str, Entry | None]] = []
        for purifier in purifiers:
            entry = found.entries.get(Key(protection, purifier, metric.name))
            if entry is None and purifier == none:  # controls have no purifier
                entry = found.entries.get(Key(protection, "", metric.name))
            line.append((purifier, entry))
        entries.append(line)
    # Controls may lie far outside what protections and purifiers span: they get the end steps.
    shown = [
        line
        for name, line in zip(found.protections, entries, strict=True)
        if layout.kind(name) != "control"
    ]
    means = [
        mean
        for line in shown or entries
        for _, one in line
        if one is not None and (mean := one.summary.mean) is not None
    ]
    rows = []
    for protection, line, texts in zip(found.protections, entries, block.rows, strict=True):
        row = []
        for (purifier, entry), text in zip(line, texts[1:], strict=True):
            if entry is None:
                row.append(HeatCell(text, None, None))
                continue
            row.append(HeatCell(text, _level(entry.summary.mean, means, metric), len(records)))
            records.append(_record(protection, purifier, entry, metric, text, subjects))
        rows.append((protection, row))
    footnotes = block.footnotes.texts
    ranks = _ranks(found, metric, purifiers, layout)
    return HeatMap(found.name, metric, block.text, footnotes, purifiers, rows, ranks)


def _level(mean: float | None, means: Sequence[float], metric: MetricInfo) -> int | None:
    """The step of a mean between the least and the greatest of `means`, or the nearest one; the
    last one serves the exploit best."""
    if mean is None or not means:
        return None
    low, high = min(means), max(means)
    share = (mean - low) / (high - low) if high > low else 0.5
    if metric.higher_is_better is False:
        share = 1 - share
    return min(LEVELS - 1, max(0, int(share * LEVELS)))


def _record(
    protection: str,
    purifier: str,
    entry: Entry,
    metric: MetricInfo,
    text: str,
    subjects: Sequence[str],
) -> dict[str, Any]:
    """What a cell opens: its summary as text, and the subjects' values in the order of `subjects`,
    as numbers and as texts of one precision."""
    values = [entry.by_subject.get(subject) for subject in subjects]
    given = [value for value in values if value is not None]
    texts = iter(numbers(list(map(ten_digits, given)), metric.percent) if given else [])
    return {
        "protection": protection,
        "purifier": purifier,
        "metric": metric.name,
        "text": text,
        "n": len(given),
        "interval": interval_text(entry.summary_of(metric), metric.percent, signed=False),
        "state": entry.state,
        "reason": entry.reason,
        "values": values,
        "texts": ["" if value is None else next(texts) for value in values],
    }


def _ranks(
    found: Task, metric: MetricInfo, purifiers: Sequence[str], layout: Layout
) -> list[tuple[str, list[str]]]:
    """Rank intervals of the protections under every purifier; none without a direction."""
    names = [name for name in found.protections if layout.kind(name) == "protection"]
    if metric.higher_is_better is None or len(names) < 2:
        return []
    columns = []
    for purifier in purifiers:
        entries = {name: found.entries.get(Key(name, purifier, metric.name)) for name in names}
        scores = {name: entry.by_subject for name, entry in entries.items() if entry is not None}
        columns.append(rank_intervals(scores, metric.higher_is_better))
    return [
        (name, [str(column[name]) if name in column else "" for column in columns])
        for name in names
    ]
