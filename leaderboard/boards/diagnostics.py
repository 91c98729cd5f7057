"""What protections noted while they worked, such as how often an attack succeeded."""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Key, Record, collect, record
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text

NAME = "diagnostics"
TEXT = (
    "Noted by the protections themselves for each image, not measured by the benchmark: mean ± "
    "standard deviation over subjects, after averaging each subject's images. The documentation of "
    "the protection or adaptation says what each note means."
)


def build(notes: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `notes`, or None if that is empty."""
    if notes.empty:
        return None
    rows = notes.rename(columns={"note": "metric"}).assign(purifier="")
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(rows["task"])):
        entries = collect(rows, task)
        names = sorted({key.metric for key in entries})
        footnotes, lines = Footnotes(), []
        for protection in layout.protections(key.protection for key in entries):
            found = [entries.get(Key(protection, "", name), ABSENT) for name in names]
            texts = [
                entry_text(entry, False, footnotes) if entry is not ABSENT else "·"
                for entry in found
            ]
            lines.append([layout.title(protection), *texts])
        blocks.append(Block(layout.title(task), ["Protection", *names], lines, footnotes=footnotes))
        for key, entry in entries.items():
            records.append(record(NAME, task, key, entry.summary, None, entry.state, entry.reason))
    return Board(NAME, "Diagnostics: what protections noted", TEXT, blocks, records)
