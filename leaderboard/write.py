"""All boards of a run, from data frames to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.leaderboard.boards import (
    adaptive,
    diagnostics,
    inconsistency,
    matrix,
    table_1,
    table_2,
    table_3,
    task_table,
    visibility,
    worst_case,
)
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.pages.overview import overview
from impress_bench.leaderboard.plots.inconsistency import plot_inconsistency
from impress_bench.leaderboard.plots.tradeoff import plot_tradeoff
from impress_bench.leaderboard.render import Board, write_board, write_text
from impress_bench.leaderboard.schema import TABLES

FORMATS = ("md", "csv", "json")


def write_boards(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    meta: Mapping[str, Any],
    out_dir: Path | str,
    formats: Sequence[str] = FORMATS,
    notes: pd.DataFrame | None = None,
) -> list[Path]:
    """Write every board that the frames can fill, and say which files.

    Boards go to `out_dir/boards`, pictures to `out_dir/figures`. Frames may be empty; `schema`
    says what they hold. Every key of `meta` is optional: preset, title, model,
    model_is_miniature, model_note (what a reader must know of it), settings_frozen, chance
    (level a metric), metrics (a list a task of name, title, higher_is_better and percent),
    protections and purifiers (display order), boards (names to write, default all that have
    data), paper (whether the model is the paper's), reference_protection, settings, adaptive
    (the variants that Table 6 shows in brackets), titles (display names), roles (which registered
    names play the parts of `layout.ROLES`), figures (captions of further pictures in `figures/`).
    `formats` may add `tex` and `html`.
    """
    cells, protections, inspections, notes = _checked(cells, protections, inspections, notes)
    boards = build_boards(cells, protections, inspections, meta, notes)
    layout = Layout(meta)
    folder, pictures = Path(out_dir) / "boards", Path(out_dir) / "figures"
    paths = [path for board in boards for path in write_board(board, folder, formats)]
    figures = {}
    if any(board.name == inconsistency.NAME for board in boards):
        picture = pictures / "inconsistency.png"
        if plot_inconsistency(inspections, layout, picture):
            paths.append(picture)
            figures[picture.name] = "Reconstruction errors of clean, protected and purified images"
    for picture, caption in plot_tradeoff(cells, protections, layout, pictures).items():
        paths.append(picture)
        figures[picture.name] = caption
    # What is published may leave out pictures that a run has made.
    further = meta.get("figures", {}).items()
    figures |= {name: caption for name, caption in further if (pictures / name).is_file()}
    layout = Layout({**meta, "figures": figures})
    paths.append(write_text(folder / "LEADERBOARD.md", overview(boards, cells, layout)))
    return paths


def build_boards(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    meta: Mapping[str, Any],
    notes: pd.DataFrame | None = None,
) -> list[Board]:
    """Every board that the frames of `write_boards` can fill."""
    cells, protections, inspections, notes = _checked(cells, protections, inspections, notes)
    layout = Layout(meta)
    built = [
        *[task_table.build(table, cells, layout) for table in (table_1.TABLE, table_2.TABLE)],
        table_3.build(cells, notes, layout),
        *adaptive.build(cells, layout),
        *[matrix.build(cells, layout, task) for task in sorted(set(cells["task"]))],
        worst_case.build(cells, layout),
        visibility.build(protections, layout),
        inconsistency.build(inspections, layout),
        diagnostics.build(notes, layout),
    ]
    return [board for board in built if board and _wanted(board, meta)]


def _checked(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    notes: pd.DataFrame | None,
) -> list[pd.DataFrame]:
    """The frames with all their columns; a frame may be empty or left out."""
    given = (cells, protections, inspections, pd.DataFrame() if notes is None else notes)
    frames = dict(zip(TABLES, given, strict=True))
    for name, frame in frames.items():
        _check(name, frame)
    return [frame if len(frame.columns) else TABLES[name].frame() for name, frame in frames.items()]


def _wanted(board: Board, meta: Mapping[str, Any]) -> bool:
    """Whether `meta` asks for a board, by its name or by `matrix` for all matrices."""
    wanted = meta.get("boards")
    return wanted is None or board.name in wanted or board.name.split("-")[0] in wanted


def _check(name: str, frame: pd.DataFrame) -> None:
    """Refuse frames with missing columns, and cells measured twice: unlike runs never merge."""
    columns, place = TABLES[name].columns, list(TABLES[name].place)
    missing = sorted(set(columns) - set(frame.columns)) if len(frame.columns) else []
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}; it needs {columns}")
    if name == "cells" and len(frame) and frame.duplicated(place).any():
        twice = frame.loc[frame.duplicated(place), place].iloc[0].to_dict()
        raise ValueError(f"cells holds {twice} more than once; boards never merge runs")
