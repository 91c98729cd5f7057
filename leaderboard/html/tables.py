"""Boards' blocks as tables of a page, with the very texts that the Markdown has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from impress_bench.leaderboard.render import Block, Board


class Row(NamedTuple):
    """The texts of a row, and the spec of the protection that its first one names, "" for none."""

    cells: Sequence[str]
    protection: str


class GridTable(NamedTuple):
    """A block: `heads` are its rows of headers, of which the last one names the columns."""

    identifier: str
    block: Block
    heads: Sequence[Sequence[str]]
    rows: Sequence[Row]


class PageBoard(NamedTuple):
    """A board and its tables."""

    board: Board
    tables: Sequence[GridTable]


def page_boards(boards: Sequence[Board], protections: Mapping[str, str]) -> list[PageBoard]:
    """The boards as tables.

    Parameters:
        boards: In the order of the page.
        protections: The specs of protections by title; a title of several rows is left out.
    """
    return [
        PageBoard(board, [_table(f"{board.name}-{place}", block, protections)
                          for place, block in enumerate(board.blocks)])
        for board in boards
    ]  # fmt: skip


def by_title(titles: Mapping[str, str]) -> dict[str, str]:
    """Specs by title, without those of a title that several have."""
    counts: dict[str, int] = {}
    for title in titles.values():
        counts[title] = counts.get(title, 0) + 1
    return {title: spec for spec, title in titles.items() if counts[title] == 1}


def _table(identifier: str, block: Block, protections: Mapping[str, str]) -> GridTable:
    heads, rows = [list(block.headers)], [list(row) for row in block.rows]
    # Tables 1 and 2 name purifiers in a second line under 'Post-processed'.
    if rows and len(rows) > 1 and rows[0][0] == "" and any(rows[0]):
        heads.append(rows.pop(0))
    shown = [Row(row, protections.get(row[0], "") if row else "") for row in rows]
    return GridTable(identifier, block, heads, shown)
