"""What protections found out while they worked: how often an attack got through, say."""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Key, Record, collect, record
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Notes, entry_text

NAME = "diagnostics"
TEXT = (
    "Noted by the protections themselves, an image at a time, not measured by the benchmark: mean ±"
    " standard deviation over subjects, images averaged first. What each figure means is in the"
    " documentation of the protection or adaptation that noted it."
)


def build(notes: pd.DataFrame, layout: Layout) -> Board | None:
    """The board, or None where nothing was noted."""
    if notes.empty:
        return None
    rows = notes.rename(columns={"note": "metric"}).assign(purifier="")
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(rows["task"])):
        entries = collect(rows, task)
        names = sorted({key.metric for key in entries})
        footnotes, lines = Notes(), []
        for protection in layout.protections(key.protection for key in entries):
            found = [entries.get(Key(protection, "", name), ABSENT) for name in names]
            texts = [
                entry_text(entry, False, footnotes) if entry is not ABSENT else "·"
                for entry in found
            ]
            lines.append([layout.title(protection), *texts])
        blocks.append(Block(layout.title(task), ["Protection", *names], lines, notes=footnotes))
        for key, entry in entries.items():
            records.append(record(NAME, task, key, entry.summary, None, entry.state, entry.reason))
    return Board(NAME, "Diagnostics: what protections noted", TEXT, blocks, records)
