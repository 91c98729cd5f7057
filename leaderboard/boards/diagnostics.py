"""What plugins noted while they worked, such as how often an attack succeeded."""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Key, Record, collect, record
from impress_bench.leaderboard.findings.ranges import ranges_verdict
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text
from impress_bench.leaderboard.statistics import Summary

NAME = "diagnostics"
TEXT = (
    "Noted by the {who} themselves for each image, not measured by the benchmark: mean ± "
    "standard deviation over subjects, after averaging each subject's images. The documentation of "
    "the {what} says what each note means."
)


def build(notes: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `notes`, or None if that is empty."""
    if notes.empty:
        return None
    rows = notes.rename(columns={"note": "metric"})
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(rows["task"])):
        for purified in (False, True):
            block, found = _block(rows[(rows["purifier"] != "") == purified], task, layout)
            if found:
                blocks.append(block)
                records += found
    purified = bool((notes["purifier"] != "").any())
    who = "protections and purifiers" if purified else "protections"
    what = "protection, adaptation or purifier" if purified else "protection or adaptation"
    text = TEXT.format(who=who, what=what)
    return Board(NAME, f"Diagnostics: what {who} noted", text, blocks, records)


def _block(rows: pd.DataFrame, task: str, layout: Layout) -> tuple[Block, list[Record]]:
    """The notes of protections, or those of purifiers on each protection's images."""
    entries = collect(rows, task)
    names = sorted({key.metric for key in entries})
    purifiers = layout.purifiers(key.purifier for key in entries)
    footnotes, lines = Footnotes(), []
    means: dict[str, dict[str, Summary]] = {name: {} for name in names}
    for protection in layout.protections(key.protection for key in entries):
        for purifier in purifiers:
            found = [entries.get(Key(protection, purifier, name), ABSENT) for name in names]
            if all(entry is ABSENT for entry in found):
                continue
            texts = [
                entry_text(entry, False, footnotes) if entry is not ABSENT else "·"
                for entry in found
            ]
            title = layout.condition(protection, purifier)
            lines.append([title, *texts])
            for name, entry in zip(names, found, strict=True):
                means[name][title] = entry.summary
    records = [
        record(NAME, task, key, entry.summary, None, entry.state, entry.reason)
        for key, entry in entries.items()
    ]
    heading = layout.title(task) + (": purifiers" if any(purifiers) else "")
    text = ranges_verdict(means)
    return Block(heading, ["Protection", *names], lines, text, footnotes), records
