"""Boards as files: Markdown, CSV and JSON, and on request LaTeX and HTML.

Equal boards are equal bytes: nothing here depends on the clock, the machine or the order of rows in
the input. Every file ends in a newline and is replaced in one step, so that a board can be read
while the run goes on.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from impress_bench.leaderboard.entries import Entry, Record, in_order
from impress_bench.leaderboard.statistics import Summary


class Footnotes:
    """Footnotes of one block: equal texts share a mark."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark of a footnote with this text, of which 300 characters are kept."""
        text = " ".join(text.split())
        text = text if len(text) <= 300 else text[:299] + "…"
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, one grid of text and its footnotes.

    `protection` is the spec of the protection that the block is about, "" if it is about several.
    """

    heading: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""
    footnotes: Footnotes = field(default_factory=Footnotes)
    protection: str = ""


@dataclass(frozen=True)
class Board:
    """What a reader sees (blocks) and what a program reads (records).

    `name` is that of its files; `text` explains it; `caution` warns of too few subjects; `note` is
    what a reader must know of the run's model.
    """

    name: str
    title: str
    text: str
    blocks: Sequence[Block]
    records: Sequence[Record]
    caution: str = ""
    note: str = ""


def numbers(values: Sequence[float], percent: bool, signed: bool = False) -> list[str]:
    """Values to one precision: per cent to one decimal, else all to as many decimals as give the
    largest three significant digits. `signed` prints a plus before values above 0; there is no
    negative zero."""
    sign = "+" if signed else ""
    if percent:
        return [f"{100 * value:{sign}z.1f}" for value in values]
    largest = max(abs(value) for value in values)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 2
    if decimals > 7:
        return [f"{value:{sign}.2e}" for value in values]
    return [f"{value:{sign}z.{decimals}f}" for value in values]


def entry_text(
    entry: Entry, percent: bool, footnotes: Footnotes, expected: int | None = None
) -> str:
    """`mean ± std`, with n and a note where cells are lacking; the bare state without numbers."""
    summary = entry.summary
    mark = f" {footnotes.mark(entry.reason)}" if entry.reason else ""
    if summary.mean is None:
        return entry.state + mark
    found = [value for value in (summary.mean, summary.std) if value is not None]
    text = " ± ".join(numbers(found, percent))
    return text + partial_text(summary.n, expected) + mark


def partial_text(n: int, expected: int | None) -> str:
    """` (n=2)` where not all of the subjects that are `expected` were run; None expects nothing."""
    return "" if expected in (None, n) else f" (n={n})"


def interval_text(summary: Summary, percent: bool, signed: bool = True) -> str:
    """`mean [low, high]`, the mean alone if there is no interval, a dash without a mean.

    `percent` prints shares in per cent, `signed` a plus before values above 0.
    """
    if summary.mean is None:
        return "–"
    if summary.low is None or summary.high is None:
        return numbers([summary.mean], percent, signed)[0]
    mean, low, high = numbers([summary.mean, summary.low, summary.high], percent, signed)
    return f"{mean} [{low}, {high}]"


def p_text(p: float | None) -> str:
    """A p to three decimals, `.031` or `< .001`; nothing of what was not tested."""
    if p is None:
        return ""
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def markdown(board: Board) -> str:
    """The board as a page of Markdown."""
    parts = [f"# {board.title}", board.caution, board.text]
    for block in board.blocks:
        parts.append(markdown_block(block))
    parts.append(board.note)
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_block(block: Block, level: int = 2) -> str:
    """One block of a board, under a heading of a level from 1 to 6 if it has one."""
    rows = [[_escaped(cell) for cell in row] for row in block.rows]
    headers = [_escaped(cell) for cell in block.headers]
    notes = [f"- [{i}] {_escaped(text)}" for i, text in enumerate(block.footnotes.texts, 1)]
    heading = f"{'#' * level} {block.heading}" if block.heading else ""
    parts = [heading, block.text, _grid(headers, rows, "github")]
    parts.append("\n".join(notes))
    return "\n\n".join(part for part in parts if part)


def as_json(board: Board) -> str:
    """The records as JSON, sorted; numbers that do not exist are null."""
    text = json.dumps(in_order(board.records), indent=1, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def as_csv(board: Board) -> str:
    """The records of the JSON as rows of CSV; null is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Record.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(in_order(board.records))
    return out.getvalue()


def latex(board: Board) -> str:
    """The grids of the board as LaTeX tables that need the package booktabs; footnotes are
    comments."""
    grids = []
    for block in board.blocks:
        notes = [f"% [{i}] {text}" for i, text in enumerate(block.footnotes.texts, 1)]
        grid = _grid(block.headers, block.rows, "latex_booktabs")
        grids.append("\n".join([f"% {block.heading}", grid, *notes]))
    return "\n\n".join(grids) + "\n"


def as_html(board: Board) -> str:
    """The board as a fragment of an HTML page."""
    parts = [f"<h1>{html.escape(board.title)}</h1>"]
    parts += [f"<p>{html.escape(text)}</p>" for text in (board.caution, board.text) if text]
    for block in board.blocks:
        parts.append(f"<h2>{html.escape(block.heading)}</h2>")
        parts += [f"<p>{html.escape(block.text)}</p>"] if block.text else []
        parts.append(_grid(block.headers, block.rows, "html"))
        parts += [f"<p>[{i}] {html.escape(t)}</p>" for i, t in enumerate(block.footnotes.texts, 1)]
    parts += [f"<p>{html.escape(board.note)}</p>"] if board.note else []
    return "\n".join(parts) + "\n"


VIEWS: dict[str, Callable[[Board], str]] = {
    "md": markdown,
    "csv": as_csv,
    "json": as_json,
    "tex": latex,
    "html": as_html,
}


def write_board(board: Board, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write a board into `folder` in each of `formats`, keys of `VIEWS`; returns the paths."""
    return [write_text(folder / f"{board.name}.{form}", VIEWS[form](board)) for form in formats]


def write_text(path: Path, text: str) -> Path:
    """Write a file in one step, so that a reader gets the old content or the new."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> Path:
    """The same for what is no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, for processes that write one folder, and short: names may be no longer than
    # the file system allows.
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _escaped(text: str) -> str:
    """Names and reasons come from third parties: they may break no column, open no tag and hold no
    link."""
    return text.replace("|", r"\|").replace("<", "&lt;").replace("](", r"]\(")


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> str:
    if not rows:
        return ""
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(rows, list(headers), tablefmt=form, disable_numparse=True, colalign=align)
