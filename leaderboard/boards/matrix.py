"""The full matrix of a task: every protection against every purifier, with one grid per metric."""

from __future__ import annotations

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Key, collect, entry_records
from impress_bench.leaderboard.findings.reasons import not_primary
from impress_bench.leaderboard.findings.verdicts import purifier_verdict
from impress_bench.leaderboard.layout import Layout, file_part, subjects_text
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text

TEXT = (
    "Mean ± standard deviation over subjects, after averaging each subject's seeds. A dot marks a "
    "combination that is not part of this run."
)


def build(cells: pd.DataFrame, layout: Layout, task: str) -> Board | None:
    """The board `matrix-<task>` from the table `cells`, or None without cells of that task."""
    entries = collect(cells, task, [metric.name for metric in layout.declared(task)])
    if not entries:
        return None
    name = f"matrix-{file_part(task)}"
    subjects = cells.loc[cells["task"] == task, "subject"].nunique()
    metrics = layout.metrics(task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    none = layout.roles.no_purifier
    # Controls have no purifier and are shown in the column without one.
    purifiers = layout.purifiers({key.purifier or none for key in entries})
    blocks = []
    records = []
    for metric in metrics:
        footnotes, rows = Footnotes(), []
        here = {key: entry for key, entry in entries.items() if key.metric == metric.name}
        for protection in protections:
            row = [layout.title(protection)]
            for purifier in purifiers:
                entry = here.get(Key(protection, purifier, metric.name))
                if entry is None and purifier == none:
                    entry = here.get(Key(protection, "", metric.name))
                row.append(entry_text(entry, metric.percent, footnotes, subjects) if entry else "·")
            rows.append(row)
        headers = ["Protection", *[layout.title(purifier) for purifier in purifiers]]
        conditions = [(key.protection, key.purifier) for key in here]
        told = not_primary(metric, metrics) or purifier_verdict(here, layout, conditions, metric)
        text = ". ".join(filter(None, [_unit(metric), told]))
        blocks.append(Block(metric.title, headers, rows, text, footnotes))
        records += entry_records(name, task, here, conditions, [metric])
    title = f"{layout.title(task)}: every protection, every purifier"
    count = f"{subjects_text(subjects)}. "
    return Board(name, title, count + TEXT, blocks, records)


def _unit(metric: MetricInfo) -> str:
    """The unit of a metric, and which direction is better for the exploit."""
    way = {True: "higher", False: "lower", None: ""}[metric.higher_is_better]
    unit = "per cent" if metric.percent else metric.unit
    parts = [f"in {unit}"] * bool(unit) + [f"{way} is better for the exploit"] * bool(way)
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]
