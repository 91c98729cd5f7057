"""What one page shows of one set of results, and the data that its scripts read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy.special import stdtrit

from impress_bench.leaderboard.boards import flags, glance
from impress_bench.leaderboard.findings.variants import Task, measured_task
from impress_bench.leaderboard.html.heat import HeatMap, heat_maps
from impress_bench.leaderboard.html.methods import Method, columns, methods, seconds_of
from impress_bench.leaderboard.html.origins import command, components, quoted, run_facts
from impress_bench.leaderboard.html.pictures import Album, Strip, read_album, strips
from impress_bench.leaderboard.html.scatter import Scatter, cost_plots, values, visibility_plot
from impress_bench.leaderboard.html.tables import PageBoard, by_title, page_boards
from impress_bench.leaderboard.layout import Layout, headline
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.overview import READING, miniature_note
from impress_bench.leaderboard.plots.tradeoff import points_of
from impress_bench.leaderboard.render import Board
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS
from impress_bench.leaderboard.write import build_boards


@dataclass(frozen=True)
class Source:
    """One set of results as it is given.

    Parameters:
        name: Of its page, in small letters, digits and dashes.
        cells, protections, inspections, notes: Its tables, as `schema` declares them.
        meta: Titles, order and remarks.
        facts: Lines about where it comes from.
        origins: The provenance of its runs.
        folder: Where `figures/`, `pictures/` and `provenance.json` lie; None if nowhere.
        costs: By component, as costs.json has them.
    """

    name: str
    cells: pd.DataFrame
    protections: pd.DataFrame
    inspections: pd.DataFrame
    notes: pd.DataFrame | None
    meta: BoardMeta
    facts: Sequence[str] = ()
    origins: Sequence[Mapping[str, Any]] = ()
    folder: Path | None = None
    costs: Mapping[str, Any] = field(default_factory=dict)


class TaskPage(NamedTuple):
    """One task: its views by metric, the plots of the same metric, and their values as text."""

    name: str
    title: str
    subjects: Sequence[str]
    maps: Sequence[HeatMap]
    plots: Mapping[str, Sequence[Scatter]]
    values: Mapping[str, Sequence[tuple[int, str, Sequence[str]]]]
    headline: str


class Sheet(NamedTuple):
    """What the template of a page reads; `written` are all boards, which become files too, and
    `fared` heads the columns that say how methods fared."""

    name: str
    title: str
    facts: Sequence[str]
    cautions: Sequence[str]
    flags: Board | None
    glance: PageBoard | None
    tasks: Sequence[TaskPage]
    boards: Sequence[PageBoard]
    written: Sequence[Board]
    methods: Sequence[Method]
    fared: Sequence[str]
    strips: Sequence[Strip]
    album: Album
    layout: Layout
    reading: str
    data: Mapping[str, Any]


def sheet_of(source: Source) -> Sheet:
    """The page of one set of results. Raises ValueError as `build_boards` does."""
    layout = Layout(source.meta)
    tables = (source.cells, source.protections, source.inspections, source.meta, source.notes)
    boards = build_boards(*tables)
    cells = source.cells if len(source.cells.columns) else CELLS.frame()
    distances = source.protections if len(source.protections.columns) else PROTECTIONS.frame()
    cells = with_scaled(cells, layout)
    tasks, records, found_tasks = [], [], []
    seconds = seconds_of(source.costs)
    for name in sorted(set(cells["task"])):
        found_tasks.append(measured_task(cells, name, layout))
        page, found = _task(found_tasks[-1], cells, distances, layout, seconds)
        tasks.append(page)
        records += [{"task": name, "cells": found}]
    subjects = {task.name: task.subjects for task in tasks}
    protections = layout.protections({str(name) for name in cells["protection"]})
    purifiers = layout.purifiers({str(name) for name in cells["purifier"]} - {""})
    shown = page_boards(boards, by_title({name: layout.title(name) for name in protections}))
    figures = None if source.folder is None else source.folder / "figures"
    pictures = strips(source.meta.figures, figures, subjects)
    told = methods(protections, purifiers, layout, source.costs, found_tasks)
    fared = columns(found_tasks, layout)
    album = Album() if source.folder is None else read_album(source.folder)
    data = {
        "name": source.name,
        "tasks": [_task_data(task) for task in tasks],
        "records": records,
        "titles": {name: layout.title(name) for name in [*protections, *purifiers]},
        "kinds": {name: layout.kind(name) for name in protections},
        "methods": {kind: {item.spec: item._asdict() for item in told if item.kind == kind}
                    for kind in ("protection", "purifier")},
        "fared": fared,
        "none": layout.roles.no_purifier,
        "components": components(source.origins),
        "runs": run_facts(source.origins),
        "command": command(source.origins, source.meta.preset, map(int, cells["seed"])),
        "quoted": quoted([*protections, *purifiers, *subjects]),
        "quantiles": _quantiles(max(map(len, subjects.values()), default=0)),
        "strips": [strip._asdict() for strip in pictures],
        "pictures": [picture._asdict() for picture in album.pictures],
    }  # fmt: skip
    cautions = [miniature_note([layout]), source.meta.model_note]
    cautions += dict.fromkeys(board.caution for board in boards)
    return Sheet(
        source.name, source.meta.title or source.meta.preset or "Results", source.facts,
        [text for text in cautions if text],
        next((board for board in boards if board.name == flags.NAME), None),
        next((one for one in shown if one.board.name == glance.NAME), None),
        tasks, [one for one in shown if one.board.name not in (glance.NAME, flags.NAME)], boards,
        told, fared, pictures, album, layout, READING, data,
    )  # fmt: skip


def _task(
    measured: Task,
    cells: pd.DataFrame,
    distances: pd.DataFrame,
    layout: Layout,
    seconds: Mapping[str, float],
) -> tuple[TaskPage, list[dict[str, Any]]]:
    name, metrics = measured.name, measured.metrics
    maps, records = heat_maps(cells, layout, name)
    plots, texts = {}, {}
    for metric in metrics:
        points = points_of(cells, distances, layout, name, metric)
        visible = visibility_plot(points, layout, metric)
        costs = cost_plots(points, layout, metric, seconds)
        plots[metric.name] = [*([] if visible is None else [visible]), *costs]
        texts[metric.name] = values(points, layout, metric, seconds)
    first = headline(metrics) or (metrics[0] if metrics else None)
    subjects = sorted({str(subject) for subject in cells.loc[cells["task"] == name, "subject"]})
    named = first.name if first is not None else ""
    return TaskPage(name, layout.title(name), subjects, maps, plots, texts, named), records


def _task_data(task: TaskPage) -> dict[str, Any]:
    metrics = [
        {
            "name": item.metric.name,
            "title": item.metric.title,
            "percent": item.metric.percent,
            "unit": item.metric.unit,
            "higher_is_better": item.metric.higher_is_better,
        }
        for item in task.maps
    ]
    return {
        "name": task.name,
        "title": task.title,
        "subjects": task.subjects,
        "metrics": metrics,
        "headline": task.headline,
    }


def _quantiles(subjects: int) -> list[float]:
    """Student's t at 97.5 % for 1, 2, … degrees of freedom, as many as comparisons may have."""
    return [float(stdtrit(degrees, 0.975)) for degrees in range(1, subjects)]
