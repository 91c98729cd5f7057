"""Rows of the board at a glance by what they can show: protections with noise, and those without.

A protection without noise that is as visible has no figure beyond noise. Where most rows are of
that kind, saying so in each of them hides the others: they stand together, and it is said once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from impress_bench.leaderboard.boards import glance
from impress_bench.leaderboard.layout import Layout, listed
from impress_bench.leaderboard.render import Block, Board, Footnotes

#: A block's rows, or one of them.
Row = Sequence[str]
MARK = re.compile(r" \[(\d+)\]")


class Task(NamedTuple):
    """One task of the board: its block, and of its rows those of protections with noise as visible
    and of those without it; the titles of what there is noise for; the number of its subjects; the
    title of its score."""

    block: Block
    compared: list[Row]
    alone: list[Row]
    matched: list[str]
    subjects: int
    score: str


def tasks(board: Board, layout: Layout) -> dict[str, Task]:
    """The tasks of the board at a glance, by name."""
    scores = [one for one in board.records if one["table"] == f"{glance.NAME}-scores"]
    found = {}
    for name, block in zip(dict.fromkeys(one["task"] for one in scores), board.blocks, strict=True):
        own = [one for one in scores if one["task"] == name]
        specs = {layout.title(one["protection"]): one["protection"] for one in own}
        noises = [spec for spec in specs.values() if layout.kind(spec) == "noise"]
        compared, alone = list[Row](), list[Row]()
        for row in block.rows:
            spec = specs[row[0]]
            if layout.kind(spec) == "protection":
                met = any(layout.matches(noise, spec) for noise in noises)
                (compared if met else alone).append(row)
        matched = [layout.title(one) for one in map(layout.matched, noises) if one is not None]
        (metric,) = layout.metrics(name, {one["metric"] for one in own})
        subjects = max(one["n"] for one in own)
        found[name] = Task(block, compared, alone, matched, subjects, metric.title)
    return found


def blocks(board: Board, layout: Layout) -> list[Block]:
    """The board's blocks; of one with protections without noise two, of which the second has these,
    in the columns that have figures for them."""
    shown = []
    for task in tasks(board, layout).values():
        if not task.alone:
            shown.append(task.block)
            continue
        if task.compared:
            with_noise = [row for row in task.block.rows if row not in task.alone]
            shown.append(part(task.block, with_noise, range(len(task.block.headers))))
        heading = f"{task.block.heading}: without noise as visible"
        lone = part(task.block, task.alone, columns(task.alone))
        text = without_noise([task])
        text += "" if task.compared else f" {task.block.text}"
        shown.append(replace(lone, heading=heading, text=text.strip()))
    return shown


def columns(rows: Sequence[Row]) -> list[int]:
    """The first column and those in which some row has a figure."""
    return [
        at for at in range(len(rows[0]))
        if at == 0 or any(char.isdigit() for row in rows for char in row[at])
    ]  # fmt: skip


def without_noise(of: Sequence[Task]) -> str:
    """What protections without noise as visible cannot be compared with, and why."""
    matched = list(dict.fromkeys(title for task in of for title in task.matched))
    lone = len({row[0] for task in of for row in task.alone})
    run = (
        f"Noise was run only as visible as {listed(matched)}"
        if matched
        else "No noise as visible was run"
    )
    those = f"the {lone} protections of this table take" if lone > 1 else "this protection takes"
    return f"{run}, so that what {those} beyond noise is not known."


def part(block: Block, rows: Sequence[Row], at: Sequence[int]) -> Block:
    """Some rows and columns of a block, with the footnotes that they have marks of."""
    notes = Footnotes()
    heads = [moved(block.headers[i], block, notes) for i in at]
    kept = [[moved(row[i], block, notes) if i else row[i] for i in at] for row in rows]
    return replace(block, headers=heads, rows=kept, footnotes=notes)


def bare(text: str) -> str:
    """A cell without the marks of its footnotes."""
    return MARK.sub("", text)


def moved(text: str, block: Block, notes: Footnotes) -> str:
    """A cell of a block whose marks have become those of `notes`. What is no mark, since it has no
    footnote, is part of a title."""
    by_number = {str(number): note for number, note in enumerate(block.footnotes.texts, 1)}
    return MARK.sub(
        lambda found: f" {notes.mark(by_number[found[1]])}" if found[1] in by_number else found[0],
        text,
    )


def marks(text: str, block: Block, notes: Footnotes) -> list[str]:
    """The marks of a cell, as marks of `notes`."""
    return [f"[{number}]" for number in MARK.findall(moved(text, block, notes))]
