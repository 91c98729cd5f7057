"""How visible each protection is: measured distances between published and clean images."""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, collect, record
from impress_bench.leaderboard.findings.verdicts import visibility_verdict
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Footnotes
from impress_bench.leaderboard.statistics import Summary

NAME = "visibility"
NORMS = {"linf": "L∞ in n/255", "l2": "L2", "lpips": "LPIPS"}
TEXT = (
    "Measured between the 8-bit images that a protection publishes and the clean ones, values in "
    "[0, 1]. Means ± standard deviations are over subjects, after averaging each subject's images; "
    "the largest value is that of a single image."
)


def build(protections: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `protections`, or None if that is empty."""
    if protections.empty:
        return None
    columns = list(protections.columns)
    norms = [norm for norm in NORMS if norm in columns]
    kept = [name for name in columns if name not in NORMS]
    long = protections.melt(kept, norms, "metric", "value").assign(purifier="")
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(long["task"])):
        # Images over their budget count too: by how much they exceed it matters here.
        entries = collect(long, task, norms, measured=("done", "over-budget"))
        footnotes, rows, seen = Footnotes(), [], {}
        for name in layout.protections(key.protection for key in entries):
            row = [layout.title(name)]
            for norm in norms:
                entry = entries.get(Key(name, "", norm), ABSENT)
                row += _cells(entry, norm, footnotes)
                records += _records(task, Key(name, layout.roles.no_purifier, norm), entry)
                if norm == "lpips" and layout.kind(name) == "protection" and entry.by_subject:
                    seen[layout.title(name)] = entry.by_subject
            rows.append(row)
        headers = ["Protection", *[h for norm in norms for h in (NORMS[norm], "largest")]]
        text = visibility_verdict(seen)
        blocks.append(Block(layout.title(task), headers, rows, text, footnotes))
    return Board(NAME, "Visibility: budgets as measured", TEXT, blocks, records)


def _largest(entry: Entry) -> Summary:
    """One whose mean is the largest value of any image."""
    largest = max((max(values) for values in entry.values.values()), default=None)
    return Summary(entry.summary.n, largest)


def _cells(entry: Entry, norm: str, footnotes: Footnotes) -> list[str]:
    """Mean and largest value."""
    largest, summary = _largest(entry).mean, entry.summary
    mark = f" {footnotes.mark(entry.reason)}" if entry.reason else ""
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
    return [
        record(NAME, task, key, entry.summary, False, entry.state, entry.reason),
        record(f"{NAME}-largest", task, key, _largest(entry), False, entry.state, entry.reason),
    ]
