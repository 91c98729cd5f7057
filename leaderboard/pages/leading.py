"""The table that LEADERBOARD.md starts with: what each protection takes and keeps, in one row.

It has the rows of the board at a glance that are protections, of all of its tasks, with their texts
as they stand there: nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence

from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.pages.without_noise import (
    Row,
    Task,
    bare,
    columns,
    marks,
    moved,
    tasks,
    without_noise,
)
from impress_bench.leaderboard.render import Block, Board, Footnotes, markdown_block

#: The board's columns as they are called here, where one is not self-explaining among others.
HEADS = {
    "": "Protection",
    "Visible": "Visible (LPIPS) ↓",
    "Takes": "Takes more than noise ↑",
    "Left after it": "Left after it ↑",
    "Passes": "Passes ↓",
}
SURVIVES, UP = "Survives ", " ↑"
SCORE = "Exploit's score"
READ = (
    "↑: more, ↓: less is better for who protects an image. In brackets: 95 % interval over "
    "subjects; where it holds 0, or has fewer than six subjects, no effect is shown."
)
COLUMNS = (
    "Takes more than noise: how much better the exploit fares against noise than against the "
    "row's protection; the noise is as visible as the protection, or as the plain one if that is "
    "adapted. Scores are in the full table below. {survives}Strongest purifier: of those that were "
    "run, the one after which the exploit scores best, picked after the run, with that score; left "
    "after it: what is still taken then, not to be compared between rows with different purifiers. "
    "Passes: forward and backward passes through networks, to protect one image."
)
SURVIVED = (
    "{survives}: what is still taken when the same purifier, which the preset names, has purified "
    "the protected images and the noise. "
)
TESTED = (
    "p: sign-flip test of that difference, adjusted for all rows of the task that have a p; "
    "*: shown to survive. "
)


def facts(board: Board, layout: Layout) -> str:
    """What was run: title, preset, model and subjects."""
    run = layout.what_was_run(sizes(board, layout))
    return f"**{layout.meta.title or 'Results'}** ({run})."


def sizes(board: Board, layout: Layout) -> dict[str, int]:
    """The number of subjects of each task of the board at a glance."""
    return {name: task.subjects for name, task in tasks(board, layout).items()}


def verdict(board: Board, task: str, layout: Layout) -> str:
    """What the board at a glance says of a task."""
    return tasks(board, layout)[task].block.text


def leading(board: Board, layout: Layout, explained: bool = False) -> list[str]:
    """The table, the board's verdict on each task, and notes, as Markdown, with what the columns
    are if that is to be `explained`. Protections without noise as visible are left to `uncompared`,
    unless there are no others."""
    found, notes = tasks(board, layout), Footnotes()
    compared = [(task, task.compared) for task in found.values() if task.compared]
    alone = [(task, task.alone) for task in found.values() if task.alone]
    table = _table(compared or alone, bool(compared), notes)
    parts = [markdown_block(table), "" if compared else without_noise(list(found.values()))]
    for name, task in found.items():
        parts.append(task.block.text and f"**{layout.title(name)}.** {task.block.text}")
    heads = [bare(head).removesuffix(UP) for head in table.headers]
    survives = [SURVIVED.format(survives=head) for head in heads if head.startswith(SURVIVES)]
    told = "".join([*survives, *[TESTED] * ("p" in heads)])
    if explained:
        parts += [layout.meta.model_note, COLUMNS.format(survives=told) if compared else ""]
    parts.append(_listed(notes))
    return [text for text in parts if text]


def uncompared(board: Board, layout: Layout) -> list[str]:
    """A table of the protections without noise as visible, where others have it; else nothing."""
    found = list(tasks(board, layout).values())
    alone = [(task, task.alone) for task in found if task.alone]
    if not alone or not any(task.compared for task in found):
        return []
    notes = Footnotes()
    table = markdown_block(_table(alone, False, notes))
    parts = [without_noise([task for task, _ in alone]), table, _listed(notes)]
    return [text for text in parts if text]


def _table(of: Sequence[tuple[Task, Sequence[Row]]], compared: bool, notes: Footnotes) -> Block:
    """Rows of several tasks below one another, in columns by what the board's heads say. Those that
    are `compared` with noise need no score, others no column without figures."""
    heads: dict[str, list[str]] = {}
    names, kept = list[list[str]](), list[list[int]]()
    for task, rows in of:
        heads_here = task.block.headers
        names.append([SCORE if bare(head) == task.score else bare(head) for head in heads_here])
        among = range(len(heads_here)) if compared else columns(rows)
        kept.append([at for at in among if not (compared and names[-1][at] == SCORE)])
        for at in kept[-1]:
            told = [] if names[-1][at] == SCORE else marks(heads_here[at], task.block, notes)
            heads.setdefault(names[-1][at], []).extend(told)
    lines = []
    for (task, rows), called, shown in zip(of, names, kept, strict=True):
        score = marks(task.block.headers[called.index(SCORE)], task.block, notes)
        lines.append([" ".join([f"**{task.block.heading}**", *score]), *[""] * (len(heads) - 1)])
        for row in rows:
            cells = {called[at]: moved(row[at], task.block, notes) if at else row[at]
                     for at in shown}  # fmt: skip
            lines.append([cells.get(head, "") for head in heads])
    titles = [" ".join([_head(head), *dict.fromkeys(told)]) for head, told in heads.items()]
    return Block("", titles, lines)


def _head(name: str) -> str:
    """The head of a column of the board, with the direction that is good for who protects."""
    return f"{name}{UP}" if name.startswith(SURVIVES) else HEADS.get(name, name)


def _listed(notes: Footnotes) -> str:
    return markdown_block(Block("", [], [], footnotes=notes))
