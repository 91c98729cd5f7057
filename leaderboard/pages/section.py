"""One set of results on LEADERBOARD.md, behind a line that says what is in it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from impress_bench.leaderboard.boards import against_paper, glance
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.layout import Layout, listed, subjects_text
from impress_bench.leaderboard.pages import leading, without_noise
from impress_bench.leaderboard.pages.overview import MAIN, WHOLE
from impress_bench.leaderboard.render import Block, Board, markdown_block


class Section(NamedTuple):
    """One set of results.

    `facts` are lines about its provenance, `place` is the path from the page to the folder that
    holds its boards, "" if no folder does. What is only `claimed` never leads.
    """

    facts: Sequence[str]
    boards: Sequence[Board]
    layout: Layout
    place: str
    claimed: bool = False

    def board(self, name: str) -> Board | None:
        """The board of a name, if the set has it."""
        return next((board for board in self.boards if board.name == name), None)

    @property
    def title(self) -> str:
        """What the set is called."""
        return self.layout.meta.title or "Results"


def folded(title: str, told: str, parts: Sequence[str]) -> list[str]:
    """Parts of a page behind a line: a title, and what is in them."""
    line = f"<b>{html.escape(title, quote=False)}</b>" + html.escape(
        f": {told}" * bool(told), False
    )
    return [f"<details><summary>{line}</summary>", *parts, "</details>"]


def whole(section: Section, leads: bool, read: Mapping[str, str]) -> list[str]:
    """A set of results, folded. The table of the one that `leads` stands on the page already;
    `read` has the titles of the sets under which the texts of boards stand."""
    board = section.board(glance.NAME)
    parts = [f"## {section.title}", "\n".join(f"- {fact}" for fact in section.facts)]
    parts.append(section.layout.meta.model_note)
    if board is not None:
        if not leads:
            parts += [board.caution, *leading.leading(board, section.layout)]
        parts += leading.uncompared(board, section.layout)
    shown = [one for one in section.boards if one.name in (*WHOLE, *MAIN)]
    for one in shown:
        text = ""
        if one.name in WHOLE:
            text = (
                one.text if read[one.text] == section.title else f"Read as under {read[one.text]}."
            )
        blocks = [markdown_block(block, level=4) for block in _blocks(one, section.layout)]
        parts += folded(*_named(one), [one.caution, text, *blocks])
    if section.place:
        links = [f"[overview]({section.place}/boards/LEADERBOARD.md)"]
        links += [f"[{one.title}]({section.place}/boards/{one.name}.md)" for one in section.boards]
        parts.append(f"All boards: {', '.join(links)}.")
    return folded(section.title, _told(section, leads, [one.title for one in shown]), parts)


def beside_the_paper(section: Section, others: Sequence[Section]) -> list[str]:
    """The paper's tables with the figures of a set, folded, and each next to the same table of
    `others` that were run on another model; nothing if the set has none of these tables."""
    board = section.board(against_paper.NAME)
    if board is None:
        return []
    parts, further = [board.caution, board.text], list[str]()
    for block in board.blocks:
        parts.append(markdown_block(block, level=4))
        for other in others:
            meta, theirs = other.layout.meta, other.board(against_paper.NAME)
            if other.claimed or theirs is None or meta.model == section.layout.meta.model:
                continue
            for same in theirs.blocks:
                if _table(same) == _table(block):
                    heading = f"{same.heading}, on `{meta.model}`"
                    text = " ".join(filter(None, [meta.model_note, same.text]))
                    parts.append(markdown_block(replace(same, heading=heading, text=text), level=4))
                    further.append(f"{_table(same)} on {meta.model}")
    told = f"{listed([_table(block) for block in board.blocks])} in the layout of IMPRESS (Cao et "
    told += "al. 2023), with the paper's figure and this set's in each cell"
    return folded(board.title, "; ".join([told, *further]), parts)


def _table(block: Block) -> str:
    """Which of the paper's tables a block is: `Table 1`."""
    return block.heading.partition(":")[0]


def _named(board: Board) -> tuple[str, str]:
    if board.name == glance.NAME:
        return board.title, "with the scores, clean images and noise"
    return board.title, ""


def _blocks(board: Board, layout: Layout) -> list[Block]:
    """Of the boards of tasks the first block about each protection, which is its table; comparisons
    follow it."""
    if board.name == glance.NAME:
        return without_noise.blocks(board, layout)
    if board.name in WHOLE:
        return list(board.blocks)
    found: dict[str, Block] = {}
    for block in board.blocks:
        if block.protection:
            found.setdefault(block.protection, block)
    return list(found.values()) or list(board.blocks[:1])


def _shown(board: Board, task: str, layout: Layout) -> str:
    """What the board at a glance says first of a task, without the score that it goes by."""
    first = leading.verdict(board, task, layout).partition(". ")[0].removesuffix(".")
    return first.partition(": ")[2]


def _told(section: Section, leads: bool, titles: Sequence[str]) -> str:
    """How many subjects a set has, whether they are too few, and what is in its fold."""
    board, layout = section.board(glance.NAME), section.layout
    told = []
    if leads:
        told.append("the set above in full")
    elif board is not None:
        few = False
        for task, n in leading.sizes(board, layout).items():
            few = few or n < FEW
            shown = "too few to conclude" if n < FEW else _shown(board, task, layout)
            said = shown.removeprefix(f"{subjects_text(n)} ")
            count = layout.counted(task, n)
            told.append(", ".join([layout.title(task), count, *[said] * bool(said)]))
        onward = layout.meta.next_preset
        told += [f"run {f'the preset {onward}' if onward else 'more subjects'} next"] * few
    told += [listed([*titles, *["links to all boards"] * bool(section.place)])]
    return "; ".join(filter(None, told))
