"""LEADERBOARD.md at the root: every published set of results at a glance, its main tables folded.

Results that differ in provenance have sections of their own and never share a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.pages.overview import MAIN, READING, WHOLE, miniature_note
from impress_bench.leaderboard.render import Block, Board, markdown_block

HEAD = """# Leaderboard

Does an image cloak survive? Written by `impress-bench publish` from the results under
`leaderboard/results/` and the submissions under `submissions/`; not by hand. Tables 1 to 6 are laid
out as in the paper that showed such cloaks to be purified away, IMPRESS (Cao et al., NeurIPS 2023).
What each protection and each purifier does, `impress-bench list NAME` says."""


class Section(NamedTuple):
    """One set of results.

    `facts` are lines about its provenance, `place` is the path from the page to the folder that
    holds its boards, "" if no folder does.
    """

    facts: Sequence[str]
    boards: Sequence[Board]
    layout: Layout
    place: str


def index(sections: Sequence[Section]) -> str:
    """The text of the page with one section per set of results."""
    parts = [HEAD]
    parts += filter(None, [miniature_note([part.layout for part in sections])])
    parts.append(READING if sections else "Nothing has been published yet.")
    explained: dict[str, str] = {}  # boards of several sections are read alike
    for section in sections:
        meta, place = section.layout.meta, section.place
        parts.append(f"## {meta.title or 'Results'}")
        parts.append("\n".join(f"- {fact}" for fact in section.facts))
        parts += filter(None, [meta.model_note])
        for board in section.boards:
            if board.name in WHOLE:
                title = explained.setdefault(board.text, meta.title)
                text = board.text if title == meta.title else f"Read as under {title}."
                parts += filter(None, [f"### {board.title}", board.caution, text])
                parts += [markdown_block(block, level=4) for block in board.blocks]
        for board in section.boards:
            if board.name in MAIN:
                parts.append(f"<details><summary>{board.title}</summary>")
                parts += filter(None, [board.caution])
                parts += [markdown_block(block, level=4) for block in _of_protections(board)]
                parts.append("</details>")
        if place:
            links = ", ".join(
                f"[{board.title}]({place}/boards/{board.name}.md)" for board in section.boards
            )
            parts.append(f"All boards: [overview]({place}/boards/LEADERBOARD.md), {links}.")
    return "\n\n".join(parts) + "\n"


def _of_protections(board: Board) -> list[Block]:
    """The first block about each protection, which is its table; comparisons follow it."""
    found: dict[str, Block] = {}
    for block in board.blocks:
        if block.protection:
            found.setdefault(block.protection, block)
    return list(found.values()) or list(board.blocks[:1])
