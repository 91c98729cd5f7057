"""All boards of a run, from its tables to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.leaderboard.boards import (
    adaptive,
    against_paper,
    by_task,
    diagnostics,
    flags,
    glance,
    inconsistency,
    matrix,
    table_3,
    task_table,
    transfer,
    visibility,
    worst_case,
)
from impress_bench.leaderboard.caution import caution
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.overview import overview
from impress_bench.leaderboard.plots.inconsistency import drawn_task, plot_inconsistency
from impress_bench.leaderboard.plots.shares import plot_shares
from impress_bench.leaderboard.plots.tradeoff import plot_tradeoff
from impress_bench.leaderboard.render import Board, write_board, write_text
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.schema import TABLES

FORMATS = ("md", "csv", "json")


def write_boards(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    meta: BoardMeta | Mapping[str, Any],
    out_dir: Path | str,
    formats: Sequence[str] = FORMATS,
    notes: pd.DataFrame | None = None,
    boards: Sequence[Board] | None = None,
) -> list[Path]:
    """Write every board that the tables of a run can fill, their pictures, and an overview.

    Parameters:
        cells, protections, inspections, notes: Tables with the columns that `schema` declares; each
            may be empty.
        meta: Titles, order and remarks; of a mapping, every key of `BoardMeta` is optional.
        out_dir: Boards go to `boards/` in this folder, pictures to `figures/`.
        formats: Of "md", "csv", "json", "tex" and "html", those in which boards are written.
        boards: What `build_boards` has made of the same tables; None: they are built here.

    Returns the paths of the files. Raises ValueError for tables that lack columns or hold a cell
    twice, and for a `meta` with unknown keys.
    """
    meta = BoardMeta.of(meta)
    layout = Layout(meta)
    tables = _prepared(cells, protections, inspections, notes, layout)
    boards = _built(*tables, layout) if boards is None else boards
    cells, protections, inspections, _ = tables
    folder, pictures = Path(out_dir) / "boards", Path(out_dir) / "figures"
    paths = [path for board in boards for path in write_board(board, folder, formats)]
    plots = _plots(cells, protections, inspections, layout, pictures, "png")
    paths += plots
    figures = {picture.name: caption for picture, caption in plots.items()}
    # Published results may lack pictures that the run has made.
    figures |= {
        name: caption for name, caption in meta.figures.items() if (pictures / name).is_file()
    }
    layout = Layout(meta.model_copy(update={"figures": figures}))
    paths.append(write_text(folder / "LEADERBOARD.md", overview(boards, cells, layout)))
    return paths


def write_plots(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    meta: BoardMeta | Mapping[str, Any],
    out_dir: Path | str,
    forms: Sequence[str] = ("png",),
) -> list[Path]:
    """Write the plots that `write_boards` writes, into `figures/` of `out_dir`; tables and errors
    as there. `forms`: of "png" and "svg", those in which they are drawn. Returns the files."""
    layout = Layout(BoardMeta.of(meta))
    tables = _prepared(cells, protections, inspections, None, layout)[:3]
    folder = Path(out_dir) / "figures"
    return [path for form in forms for path in _plots(*tables, layout, folder, form)]


def _plots(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    layout: Layout,
    folder: Path,
    form: str,
) -> dict[Path, str]:
    """Draw the plots of prepared tables; their captions by file."""
    drawn: dict[Path, str] = {}
    picture, wanted = folder / f"inconsistency.{form}", layout.meta.boards
    if (wanted is None or inconsistency.NAME in wanted) and plot_inconsistency(
        inspections, layout, picture
    ):
        task = layout.title(drawn_task(inspections, layout))
        drawn[picture] = f"{task}: reconstruction errors of the images"
    drawn |= plot_tradeoff(cells, protections, layout, folder, form)
    return drawn | plot_shares(cells, layout, folder, form)


def build_boards(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    meta: BoardMeta | Mapping[str, Any],
    notes: pd.DataFrame | None = None,
) -> list[Board]:
    """Every board that the tables of `write_boards` can fill; parameters and errors as there."""
    layout = Layout(BoardMeta.of(meta))
    return _built(*_prepared(cells, protections, inspections, notes, layout), layout)


def _built(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    notes: pd.DataFrame,
    layout: Layout,
) -> list[Board]:
    """Every board that prepared tables can fill."""
    built = [
        glance.build(cells, protections, layout),
        *[task_table.build(table, cells, layout) for table in by_task.TABLES],
        table_3.build(cells, notes, layout),
        *adaptive.build(cells, layout),
        *[matrix.build(cells, layout, task) for task in sorted(set(cells["task"]))],
        worst_case.build(cells, layout),
        transfer.build(cells, layout),
        visibility.build(protections, layout),
        inconsistency.build(inspections, layout),
        diagnostics.build(notes, layout),
        against_paper.build(cells, layout),
        flags.build(cells, protections, inspections, notes, layout),
    ]
    return [
        replace(
            board,
            caution=caution(cells, layout, {one["task"] for one in board.records}),
            note=layout.meta.model_note,
        )
        for board in built
        if board and _wanted(board, layout.meta)
    ]


def _prepared(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    notes: pd.DataFrame | None,
    layout: Layout,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables with all their columns, and cells with the metrics that are computed from them;
    one may be empty or left out."""
    given = (cells, protections, inspections, pd.DataFrame() if notes is None else notes)
    frames = dict(zip(TABLES, given, strict=True))
    for name, frame in frames.items():
        _check(name, frame)
    full = {
        name: frame if len(frame.columns) else TABLES[name].frame()
        for name, frame in frames.items()
    }
    cells = with_scaled(full["cells"], layout)
    return cells, full["protections"], full["inspections"], full["notes"]


def _wanted(board: Board, meta: BoardMeta) -> bool:
    """Whether `meta` asks for a board, by its name or by `matrix` for all matrices."""
    wanted = meta.boards
    return wanted is None or board.name in wanted or board.name.split("-")[0] in wanted


def _check(name: str, frame: pd.DataFrame) -> None:
    """Refuses tables with missing columns, and cells measured twice: boards never mix runs."""
    columns, place = TABLES[name].columns, list(TABLES[name].place)
    missing = sorted(set(columns) - set(frame.columns)) if len(frame.columns) else []
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}; it needs {columns}")
    if name == "cells" and len(frame) and frame.duplicated(place).any():
        twice = frame.loc[frame.duplicated(place), place].iloc[0].to_dict()
        raise ValueError(f"cells holds {twice} more than once; boards never merge runs")
