"""The full matrix of a task: every protection against every purifier, one grid a metric."""

from __future__ import annotations

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Key, collect, entry_records
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text

TEXT = (
    "Mean ± standard deviation over subjects, seeds averaged first. A dot is a combination that"
    " is no part of this run."
)


def build(cells: pd.DataFrame, layout: Layout, task: str) -> Board | None:
    """The board `matrix-<task>`, or None without cells of that task."""
    described = layout.meta.get("metrics", {}).get(task, ())
    entries = collect(cells, task, [item["name"] for item in described])
    if not entries:
        return None
    name = f"matrix-{task}"
    subjects = cells.loc[cells["task"] == task, "subject"].nunique()
    metrics = layout.metrics(task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    none = layout.role("no_purifier")
    # Controls have no purifier; they stand where nothing is purified.
    purifiers = layout.purifiers({key.purifier or none for key in entries})
    blocks = []
    records = []
    for metric in metrics:
        notes, rows = Notes(), []
        here = {key: entry for key, entry in entries.items() if key.metric == metric.name}
        for protection in protections:
            row = [layout.title(protection)]
            for purifier in purifiers:
                entry = here.get(Key(protection, purifier, metric.name))
                if entry is None and purifier == none:
                    entry = here.get(Key(protection, "", metric.name))
                row.append(entry_text(entry, metric.percent, notes, subjects) if entry else "·")
            rows.append(row)
        headers = ["Protection", *[layout.title(purifier) for purifier in purifiers]]
        blocks.append(Block(metric.title, headers, rows, _unit(metric), notes))
        conditions = [(key.protection, key.purifier) for key in here]
        records += entry_records(name, task, here, conditions, [metric])
    title = f"{layout.title(task)}: every protection, every purifier"
    count = f"{subjects} subject{'s' * (subjects != 1)}. "
    return Board(name, title, count + TEXT, blocks, records)


def _unit(metric: MetricInfo) -> str:
    """What the numbers are in, and which way the exploit succeeds."""
    way = {True: "higher", False: "lower", None: ""}[metric.higher_is_better]
    parts = ["per cent"] * metric.percent + [f"{way} is better for the exploit"] * bool(way)
    return ", ".join(parts).capitalize()
