"""Boards as files: markdown, CSV and JSON, and LaTeX and HTML for who asks for them.

Equal boards are equal bytes: nothing here looks at the clock, the machine or the order of rows in
the input. Every file ends in a newline and appears at once or not at all, so that a board can be
read while the run goes on.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from impress_bench.leaderboard.entries import Entry, Record, in_order
from impress_bench.leaderboard.statistics import Summary


class Notes:
    """Footnotes of one block: equal texts share a mark."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark to put behind what needs the note."""
        text = " ".join(text.split())
        text = text if len(text) <= 300 else text[:299] + "…"
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, one grid of text and its notes; `protection` names its subject."""

    heading: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""
    notes: Notes = field(default_factory=Notes)
    protection: str = ""


@dataclass(frozen=True)
class Board:
    """What a reader sees (blocks) and what a program reads (records)."""

    name: str
    title: str
    text: str
    blocks: Sequence[Block]
    records: Sequence[Record]


def numbers(values: Sequence[float], percent: bool, signed: bool = False) -> list[str]:
    """Per cent with one decimal, else three significant digits of the largest; no negative zero."""
    sign = "+" if signed else ""
    if percent:
        return [f"{100 * value:{sign}z.1f}" for value in values]
    largest = max(abs(value) for value in values)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 2
    if decimals > 7:
        return [f"{value:{sign}.2e}" for value in values]
    return [f"{value:{sign}z.{decimals}f}" for value in values]


def entry_text(entry: Entry, percent: bool, notes: Notes, expected: int | None = None) -> str:
    """`mean ± std`, with n and a note where cells are lacking; the bare state without numbers."""
    summary = entry.summary
    mark = f" {notes.mark(entry.reason)}" if entry.reason else ""
    if summary.mean is None:
        return entry.state + mark
    found = [value for value in (summary.mean, summary.std) if value is not None]
    text = " ± ".join(numbers(found, percent))
    if expected is not None and summary.n != expected:
        text += f" (n={summary.n})"
    return text + mark


def interval_text(summary: Summary, percent: bool, signed: bool = True) -> str:
    """`mean [low, high]`, the bare mean where there is no interval, a dash without numbers."""
    if summary.mean is None:
        return "–"
    if summary.low is None or summary.high is None:
        return numbers([summary.mean], percent, signed)[0]
    mean, low, high = numbers([summary.mean, summary.low, summary.high], percent, signed)
    return f"{mean} [{low}, {high}]"


def markdown(board: Board) -> str:
    """The whole board for reading."""
    parts = [f"# {board.title}", board.text]
    for block in board.blocks:
        parts.append(markdown_block(block))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_block(block: Block, level: int = 2) -> str:
    """One block of a board."""
    rows = [[_escaped(cell) for cell in row] for row in block.rows]
    headers = [_escaped(cell) for cell in block.headers]
    notes = [f"- [{i}] {_escaped(text)}" for i, text in enumerate(block.notes.texts, 1)]
    parts = [f"{'#' * level} {block.heading}", block.text, _grid(headers, rows, "github")]
    parts.append("\n".join(notes))
    return "\n\n".join(part for part in parts if part)


def as_json(board: Board) -> str:
    """The records, sorted, one key order, numbers that do not exist as null."""
    text = json.dumps(in_order(board.records), indent=1, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def as_csv(board: Board) -> str:
    """The records of the JSON as rows; null is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Record.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(in_order(board.records))
    return out.getvalue()


def latex(board: Board) -> str:
    """The grids of the board for a paper that loads booktabs."""
    grids = [
        f"% {block.heading}\n{_grid(block.headers, block.rows, 'latex_booktabs')}"
        for block in board.blocks
    ]
    return "\n\n".join(grids) + "\n"


def as_html(board: Board) -> str:
    """The board as a fragment of a page."""
    parts = [f"<h1>{html.escape(board.title)}</h1>", f"<p>{html.escape(board.text)}</p>"]
    for block in board.blocks:
        parts.append(f"<h2>{html.escape(block.heading)}</h2>")
        parts.append(_grid(block.headers, block.rows, "html"))
        parts += [f"<p>[{i}] {html.escape(t)}</p>" for i, t in enumerate(block.notes.texts, 1)]
    return "\n".join(parts) + "\n"


VIEWS: dict[str, Callable[[Board], str]] = {
    "md": markdown,
    "csv": as_csv,
    "json": as_json,
    "tex": latex,
    "html": as_html,
}


def write_board(board: Board, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write the views of a board into `folder` and say where."""
    return [write_text(folder / f"{board.name}.{form}", VIEWS[form](board)) for form in formats]


def write_text(path: Path, text: str) -> Path:
    """Write a file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)
    return path


def _escaped(text: str) -> str:
    """Names and reasons are anybody's: no column break and no tag comes of them."""
    return text.replace("|", r"\|").replace("<", "&lt;")


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> str:
    if not rows:
        return ""
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(rows, list(headers), tablefmt=form, disable_numparse=True, colalign=align)
