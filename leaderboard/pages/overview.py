"""LEADERBOARD.md: what was run, how to read it, and where everything is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from impress_bench.leaderboard.boards import table_1, table_2
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, markdown_block

MINIATURE = (
    "> **These numbers come from a miniature.** {model} is a small model of a small painted "
    "world, built so that the whole benchmark runs on a laptop. It shows that the pipeline "
    "works and which way effects point there. Effect sizes do not transfer to Stable Diffusion "
    "or to any protection as deployed; for those, run a preset that names the full model."
)
READING = (
    "Every figure is a mean over subjects ± the standard deviation over subjects, a subject's "
    "seeds averaged first; a subject is what is protected together, such as one artist's "
    "training images. JSON and CSV also hold n and 95 % intervals. Comparisons are paired by "
    "subject. What was not measured is named (skipped, failed, over-budget, timeout, missing) "
    "and never filled in; figures that cover only part of the subjects carry n and a note."
)
FROZEN = (
    "Settings that a preset carries were chosen on validation subjects and frozen before the "
    "test subjects were run. A run that overrides them on the command line is exploratory."
)

#: Boards whose first block is shown at once.
MAIN = (table_1.TABLE.name, table_2.TABLE.name)

PROVISIONAL = (
    "**These settings are provisional.** They have not been frozen after a choice on validation "
    "subjects; figures of test subjects under them are for trying the benchmark, not for citing."
)


def overview(boards: Sequence[Board], cells: pd.DataFrame, layout: Layout) -> str:
    """The text of LEADERBOARD.md."""
    meta = layout.meta
    model = str(meta.get("model", "The model"))
    parts = [f"# {meta.get('title', 'Leaderboard')}"]
    parts += [miniature_note(layout), str(meta.get("model_note", ""))]
    facts = [f"Preset `{meta['preset']}`"] if "preset" in meta else []
    facts += [f"model `{model}`"] if "model" in meta else []
    for task in sorted(set(cells["task"])):
        count = cells.loc[cells["task"] == task, "subject"].nunique()
        facts.append(f"{layout.title(task)}: {count} subject{'s' * (count != 1)}")
    parts.append("; ".join(facts) + "." if facts else "")
    parts += [READING, _chance(layout), _links(boards)]
    for board in boards:
        if board.name in MAIN:
            parts.append(markdown_block(_main(board, layout)))
    figures: Mapping[str, str] = meta.get("figures", {})
    parts += [f"![{text}](../figures/{name})\n\n{text}" for name, text in figures.items()]
    parts += ["## Rows", _rows(cells, layout), "## Settings"]
    parts.append(FROZEN if meta.get("settings_frozen") else PROVISIONAL)
    parts.append(_settings(meta.get("settings", {})))
    return "\n\n".join(part for part in parts if part) + "\n"


def miniature_note(layout: Layout) -> str:
    """What a reader must know first of figures from a miniature; nothing of others."""
    model = layout.meta.get("model", "The model")
    return MINIATURE.format(model=f"`{model}`") if layout.meta.get("model_is_miniature") else ""


def _chance(layout: Layout) -> str:
    chance: Mapping[str, float] = layout.meta.get("chance", {})
    titles = {
        item["name"]: item.get("title", item["name"])
        for items in layout.meta.get("metrics", {}).values()
        for item in items
    }
    levels = [f"{titles.get(name, name)} {100 * level:.1f} %" for name, level in chance.items()]
    return f"Guessing scores {', '.join(levels)}." if levels else ""


def _links(boards: Sequence[Board]) -> str:
    lines = [
        f"- [{board.title}]({board.name}.md) ([CSV]({board.name}.csv), [JSON]({board.name}.json))"
        for board in boards
    ]
    return "\n".join(["## Boards", "", *(lines or ["Nothing has been measured yet."])])


def _main(board: Board, layout: Layout) -> Block:
    """The block of the reference protection, else the first one."""
    reference = layout.meta.get("reference_protection")
    heads = [block for block in board.blocks if block.protection == reference]
    return (heads or list(board.blocks))[0]


def _rows(cells: pd.DataFrame, layout: Layout) -> str:
    """What each protection of the run is."""
    kinds = {
        "clean": "the images as their author made them",
        "noise": "a perturbation that nobody optimised",
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
        if name not in (layout.role("no_purifier"), "")
    ]
    return "\n".join(lines)


def _settings(settings: Mapping[str, Any]) -> str:
    """Settings as they are, in one stable order."""
    if not settings:
        return ""
    text = json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return f"```json\n{text}\n```"
