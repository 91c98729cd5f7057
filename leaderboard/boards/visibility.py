"""How visible each protection is: distances between published and clean images, as measured."""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, collect, record
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Notes
from impress_bench.leaderboard.statistics import Summary

NAME = "visibility"
NORMS = {"linf": "L∞ in n/255", "l2": "L2", "lpips": "LPIPS"}
TEXT = (
    "Measured on the 8-bit images a protection publishes, against the clean ones, values in [0,"
    " 1]. Means are over subjects, images averaged first; the largest value is over single "
    "images."
)


def build(protections: pd.DataFrame, layout: Layout) -> Board | None:
    """The board, or None where no protection was measured."""
    if protections.empty:
        return None
    columns = list(protections.columns)
    norms = [norm for norm in NORMS if norm in columns]
    kept = [name for name in columns if name not in NORMS]
    long = protections.melt(kept, norms, "metric", "value").assign(purifier="")
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(long["task"])):
        # An image over its budget was still measured, and by how much it is over matters here.
        entries = collect(long, task, norms, measured=("done", "over-budget"))
        notes, rows = Notes(), []
        for name in layout.protections(key.protection for key in entries):
            row = [layout.title(name)]
            for norm in norms:
                entry = entries.get(Key(name, "", norm), ABSENT)
                row += _cells(entry, norm, notes)
                records += _records(task, Key(name, layout.role("no_purifier"), norm), entry)
            rows.append(row)
        headers = ["Protection", *[h for norm in norms for h in (NORMS[norm], "largest")]]
        blocks.append(Block(layout.title(task), headers, rows, notes=notes))
    return Board(NAME, "Visibility: budgets as measured", TEXT, blocks, records)


def _largest(entry: Entry) -> float | None:
    return max((max(values) for values in entry.values.values()), default=None)


def _cells(entry: Entry, norm: str, notes: Notes) -> list[str]:
    """Mean and largest value."""
    largest, summary = _largest(entry), entry.summary
    mark = f" {notes.mark(entry.reason)}" if entry.reason else ""
    if summary.mean is None or largest is None:
        return [f"{entry.state}{mark}", "–"]
    mean = _text(summary.mean, norm)
    spread = "" if summary.std is None else f" ± {_text(summary.std, norm)}"
    flag = "" if entry.state == "done" else f" ({entry.state})"
    return [mean + spread + flag + mark, _text(largest, norm)]


def _text(value: float, norm: str) -> str:
    return f"{255 * value:.1f}" if norm == "linf" else f"{value:.3f}"


def _records(task: str, key: Key, entry: Entry) -> list[Record]:
    """A record of the mean, and one whose mean is the largest value of any image."""
    largest = Summary(entry.summary.n, _largest(entry))
    return [
        record(NAME, task, key, entry.summary, False, entry.state, entry.reason),
        record(f"{NAME}-largest", task, key, largest, False, entry.state, entry.reason),
    ]
