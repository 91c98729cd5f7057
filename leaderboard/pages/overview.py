"""LEADERBOARD.md of a run: what was run, how to read it, its main tables, pictures and links."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards import by_task, glance, transfer
from impress_bench.leaderboard.caution import caution
from impress_bench.leaderboard.layout import Layout, listed, parsed
from impress_bench.leaderboard.pages import without_noise
from impress_bench.leaderboard.render import Block, Board, markdown_block, numbers

MINIATURE = (
    "> **These numbers come from a miniature.** {models} of a small painted world, built so that "
    "the whole benchmark runs on a laptop. Such numbers show that the pipeline works and which way "
    "effects point there. Effect sizes do not transfer to Stable Diffusion or to any protection as "
    "deployed; for those, run a preset that names the full model."
)
READING = (
    "Every score is a mean over subjects ± the standard deviation over subjects, after averaging "
    "each subject's seeds. A subject is the set of images that is protected together, such as one "
    "artist's works or one photo. JSON and CSV also hold n and 95 % intervals. Comparisons are "
    "paired by subject. What was not measured is named (skipped, failed, over-budget, timeout, "
    "missing) and never filled in; scores that cover only part of the subjects carry n and a "
    "footnote, which counts each seed of each subject."
)
FROZEN = (
    "Settings that a preset carries were chosen on validation subjects and frozen before the "
    "test subjects were run. A run that overrides them on the command line is exploratory."
)

#: Boards that the overview shows whole, and those of which it shows a block.
WHOLE = (glance.NAME, transfer.NAME)
MAIN = tuple(table.name for table in by_task.TABLES)

PROVISIONAL = (
    "**These settings are provisional.** They have not been frozen after a choice on validation "
    "subjects; scores of test subjects under them are for trying the benchmark, not for citing."
)


def overview(boards: Sequence[Board], cells: pd.DataFrame, layout: Layout) -> str:
    """The text of a run's LEADERBOARD.md, from its boards and the table `cells`."""
    meta = layout.meta
    parts = [f"# {meta.title or 'Leaderboard'}", miniature_note([layout]), meta.model_note]
    subjects = {str(task): each.nunique() for task, each in cells.groupby("task")["subject"]}
    if run := layout.what_was_run(subjects):
        parts.append(f"{run[0].upper()}{run[1:]}.")
    parts.append(caution(cells, layout, cells["task"]))
    parts += [READING, _chance(layout), _links(boards)]
    for board in boards:
        if board.name in WHOLE:
            parts += [f"## {board.title}", board.text]
            glanced = board.name == glance.NAME
            blocks = without_noise.blocks(board, layout) if glanced else board.blocks
            parts += [markdown_block(block, level=3) for block in blocks]
        if board.name in MAIN:
            block = _main(board, layout)
            titled = replace(block, heading=f"{board.title}. {block.heading}")
            parts += [markdown_block(titled), board.text]
    parts += [f"![{text}](../figures/{name})\n\n{text}" for name, text in meta.figures.items()]
    parts += ["## Rows", _rows(cells, layout), "## Settings"]
    parts.append(FROZEN if meta.settings_frozen else PROVISIONAL)
    parts.append(_settings(meta.settings))
    return "\n\n".join(part for part in parts if part) + "\n"


def miniature_note(layouts: Sequence[Layout]) -> str:
    """What a reader must know first of scores from miniatures; "" for other models."""
    small = [layout.meta.model for layout in layouts if layout.meta.model_is_miniature]
    names = [f"`{name}`" if name else "The model" for name in dict.fromkeys(small)]
    verb = "are small models" if names[1:] else "is a small model"
    return MINIATURE.format(models=f"{listed(names)} {verb}") if names else ""


def _chance(layout: Layout) -> str:
    declared = {item.name: item for items in layout.meta.metrics.values() for item in items}
    levels = []
    for name, level in layout.meta.chance.items():
        metric = declared.get(name, MetricInfo(name, name, None))
        text = f"{metric.title} {numbers([level], metric.percent)[0]}"
        levels.append(" ".join(filter(None, [text, metric.unit])))
    return f"Guessing scores {', '.join(levels)}." if levels else ""


def _links(boards: Sequence[Board]) -> str:
    lines = [
        f"- [{board.title}]({board.name}.md)"
        + f" ([CSV]({board.name}.csv), [JSON]({board.name}.json))" * bool(board.records)
        for board in boards
    ]
    return "\n".join(["## Boards", "", *(lines or ["Nothing has been measured yet."])])


def _main(board: Board, layout: Layout) -> Block:
    """The block about the reference protection, else about one that the paper's table has, else the
    first block."""
    reference, published = layout.meta.reference_protection, by_task.protections(board.name)
    blocks = list(board.blocks)
    heads = [block for block in blocks if block.protection == reference]
    heads += [block for block in blocks if parsed(block.protection).family in published]
    return (heads or blocks)[0]


def _rows(cells: pd.DataFrame, layout: Layout) -> str:
    """A list of the run's protections, controls and purifiers by title and by spec."""
    kinds = {
        "clean": "the images as their authors made them",
        "noise": "a perturbation without an objective",
        "protection": "a protection",
        "control": "a control",
    }
    lines = []
    for name in layout.protections(str(name) for name in cells["protection"]):
        kind = layout.kind(name)
        reference = layout.matched(name) if kind == "noise" else None
        matched = f", as visible as {layout.title(reference)}" if reference else ""
        lines.append(f"- {layout.title(name)} (`{name}`): {kinds[kind]}{matched}")
    lines += [
        f"- {layout.title(name)} (`{name}`): a purifier"
        for name in layout.purifiers(str(name) for name in cells["purifier"])
        if name not in (layout.roles.no_purifier, "")
    ]
    return "\n".join(lines)


def _settings(settings: Mapping[str, Any]) -> str:
    """The settings as JSON with sorted keys."""
    if not settings:
        return ""
    text = json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return f"```json\n{text}\n```"
