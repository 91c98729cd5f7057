"""LEADERBOARD.md at the root: one table first, and everything else folded.

The table is that of the set of results that is read first. Results that differ in provenance have
folds of their own and never share a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from impress_bench.leaderboard.boards import glance
from impress_bench.leaderboard.pages import leading
from impress_bench.leaderboard.pages.overview import READING, WHOLE, miniature_note
from impress_bench.leaderboard.pages.section import Section, beside_the_paper, folded, whole

ASKED = (
    "Which image cloaks still protect once an adversary has purified the images, and better than "
    "noise that is as visible?"
)
SMALL = (
    "The numbers come from a miniature, a small diffusion model of a small painted world: they "
    "show which way effects point; sizes do not transfer to Stable Diffusion "
    "([more](#the-miniature))."
)
WRITTEN = (
    "Written by `impress-bench publish` from the results under `leaderboard/results/` and the "
    "submissions under `submissions/`; not by hand. First comes the set of results with the most "
    "subjects among those that were run on one model, in the latest version published, and that "
    "can conclude on all of their tasks. Tables 1 to 6 are laid out as in the paper that showed "
    "such cloaks to be purified away, IMPRESS (Cao et al., NeurIPS 2023). What each protection and "
    "each purifier does, `impress-bench list NAME` says."
)


def index(sections: Sequence[Section]) -> str:
    """The text of the page from the sets of results, of which the first that has a board at a
    glance, and is measured, leads."""
    first = next((one for one in sections if not one.claimed and one.board(glance.NAME)), None)
    board = first.board(glance.NAME) if first is not None else None
    note = miniature_note([section.layout for section in sections])
    parts = ["# Leaderboard", ASKED, SMALL if note else ""]
    if first is not None and board is not None:
        parts += [f"{leading.facts(board, first.layout)} {leading.READ}", board.caution]
        parts += leading.leading(board, first.layout, explained=True)
    else:
        parts.append(f"Nothing has been {'measured' if sections else 'published'} yet.")
    read: dict[str, str] = {}  # boards of several sets are read alike
    for section in sections if first is None else [first, *sections]:
        for one in section.boards:
            if one.name in WHOLE:
                read.setdefault(one.text, section.title)
    for section in sections:
        parts += whole(section, section is first, read)
        if section is first:
            parts += beside_the_paper(section, sections)
    how = ["## How to read this page", WRITTEN, READING, *["## The miniature", note] * bool(note)]
    told = "where it comes from, what a score is" + ", what the miniature is" * bool(note)
    parts += folded("How to read this page", told, how)
    return "\n\n".join(part for part in parts if part) + "\n"
