"""What a run shows, in a few lines for a terminal: the findings under the tasks' tables."""

from __future__ import annotations

import textwrap

import pandas as pd

from impress_bench.leaderboard.boards import by_task, task_table
from impress_bench.leaderboard.caution import caution
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.scaling import with_scaled

#: So many protections of a task are spoken of; the others are on the boards.
SHOWN = 3
WIDTH = 100


def summary(cells: pd.DataFrame, meta: BoardMeta) -> list[str]:
    """Lines of at most `WIDTH` characters from the table `cells` of a run; none if the run has
    none of these tables, or no interval."""
    layout, lines = Layout(meta), list[str]()
    cells = with_scaled(cells, layout)
    for table in by_task.TABLES:
        board = task_table.build(table, cells, layout)
        blocks = [block for block in (board.blocks if board else ()) if block.protection]
        told = [block for block in blocks if block.text]
        if not told:
            continue
        warning = caution(cells, layout, [layout.role(table.task)]).lstrip("> ").replace("**", "")
        lines += _wrapped(f"{table.title}: {warning}" if warning else f"{table.title}:")
        for block in told[:SHOWN]:
            lines += [f"  {line}" for line in _wrapped(f"{block.heading}. {block.text}")]
        if told[SHOWN:]:
            lines.append(f"  {len(told) - SHOWN} more protections are on the board {table.name}.")
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
