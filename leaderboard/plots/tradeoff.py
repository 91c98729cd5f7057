"""Scatter plots of robustness against visibility: what a protection achieves at which visibility.

A protection that was run at several budgets is drawn as a curve, all others as points.
Scores are the exploit's, so a point below and to the left of another protects better and is less
visible.
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Key, collect
from impress_bench.leaderboard.layout import Layout, file_part, headline, parsed
from impress_bench.leaderboard.plots.saving import save
from impress_bench.leaderboard.statistics import ten_digits

COLOURS = ("#b5382a", "#2166ac", "#4d9221", "#c98b1b", "#7b3294", "#4d4d4d", "#01665e", "#c51b7d")
#: One after the other, each in all colours; `X` marks what was not run for all subjects.
MARKERS = ("o", "s", "^", "D", "v", "P", "*", "<", "h", ">")
#: Inches of the panels' height, and pixels per inch.
HEIGHT, DPI = 3.8, 140
#: Settings are budgets if the most visible is so many times as visible as the least. A line through
#: others, such as weights of a loss, would run to and fro over differences that mean nothing.
BUDGETS = 1.2
#: A title that is longer goes on in another line of the legend.
TITLE_CHARACTERS = 60


class Point(NamedTuple):
    """A protection at one budget: mean LPIPS, the exploit's mean score by purifier, and the
    purifiers for which not every subject of the task has one."""

    protection: str
    visibility: float
    scores: dict[str, float]
    partial: frozenset[str] = frozenset()


def plot_tradeoff(
    cells: pd.DataFrame, protections: pd.DataFrame, layout: Layout, folder: Path, form: str = "png"
) -> dict[Path, str]:
    """Draws one picture per task that has at least two protections.

    Parameters:
        cells, protections: Tables with the columns that `schema` declares.
        folder: Where pictures are written.
        form: "png" or "svg".

    Returns the caption of each picture by its path.
    """
    drawn = {}
    for task in sorted(set(cells["task"])):
        metric = headline(layout.metrics(task, {key.metric for key in collect(cells, task)}))
        if metric is None:
            continue
        points = points_of(cells, protections, layout, task, metric)
        if len(points) < 2:
            continue
        path = folder / f"tradeoff-{file_part(task)}.{form}"
        save(figure_of(points, layout, metric), path, DPI)
        crosses = ", a cross where not every subject was run" * any(one.partial for one in points)
        drawn[path] = f"{layout.title(task)}: {metric.title} against visibility{crosses}"
    return drawn


def points_of(
    cells: pd.DataFrame, protections: pd.DataFrame, layout: Layout, task: str, metric: MetricInfo
) -> list[Point]:
    """Every protection of a task whose visibility and score are known; controls have neither."""
    scores = collect(cells, task)
    whole = max((len(entry.by_subject) for entry in scores.values()), default=0)
    shown = protections[(protections["task"] == task) & (protections["state"] == "done")]
    visible = shown.groupby(["protection", "subject"])["lpips"].mean().groupby("protection").mean()
    purifiers = (layout.roles.no_purifier, layout.roles.purifier)
    points = []
    for name in layout.protections(str(name) for name in visible.index):
        found = {
            purifier: entry.summary
            for purifier in purifiers
            if (entry := scores.get(Key(name, purifier, metric.name))) is not None
        }
        means = {name: one.mean for name, one in found.items() if one.mean is not None}
        partial = frozenset(one for one in means if found[one].n < whole)
        if means:
            points.append(Point(name, ten_digits(float(visible[name])), means, partial))
    return points


def look_of(place: int) -> tuple[str, str]:
    """The colour and the marker of the family at a place: 80 pairs before one comes again."""
    turn, colour = divmod(place, len(COLOURS))
    return COLOURS[colour], MARKERS[turn % len(MARKERS)]


def figure_of(points: list[Point], layout: Layout, metric: MetricInfo) -> Figure:
    """One panel without a purifier, and one with the reference purifier if that was run; below them
    a legend of all families, as high as it needs to be."""
    purifiers = [
        purifier
        for purifier in (layout.roles.no_purifier, layout.roles.purifier)
        if any(purifier in point.scores for point in points)
    ]
    figure = Figure((5.4 * len(purifiers), HEIGHT), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(purifiers), sharex=True, sharey=True, squeeze=False)[0]
    families = list(dict.fromkeys(parsed(point.protection).family for point in points))
    for axes, purifier in zip(panels, purifiers, strict=True):
        _panel(axes, points, purifier, families, layout, metric)
        axes.set_title(layout.title(purifier), fontsize=10)
    panels[0].set_ylabel(metric.title + (f" ({metric.unit})" if metric.unit else ""))
    _add_legend(canvas, *panels[0].get_legend_handles_labels())
    return figure


def _add_legend(canvas: FigureCanvasAgg, handles: list[Any], titles: list[str]) -> None:
    """A legend below the panels, in as many columns as the figure is wide enough for; the figure
    becomes higher by it."""
    figure = canvas.figure
    labels = [textwrap.fill(title, TITLE_CHARACTERS) for title in titles]
    width, height = figure.get_size_inches()
    for columns in range(math.ceil(width), 0, -1):
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns,
                               fontsize=8, frameon=False)  # fmt: skip
        box = legend.get_window_extent(canvas.get_renderer())  # type: ignore[no-untyped-call]
        if box.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    figure.set_size_inches(width, height + box.height / figure.dpi)


def _panel(
    axes: Axes,
    points: list[Point],
    purifier: str,
    families: list[str],
    layout: Layout,
    metric: MetricInfo,
) -> None:
    """Every family's points, those at several budgets joined in the order of their visibility."""
    scale = 100 if metric.percent else 1
    for place, name in enumerate(families):
        own = sorted(
            (point.visibility, scale * point.scores[purifier], purifier in point.partial)
            for point in points
            if parsed(point.protection).family == name and purifier in point.scores
        )
        colour, marker = look_of(place)
        line: dict[str, Any] = {"color": colour, "linewidth": 1.4}
        look = {**line, "marker": marker, "markersize": 5}
        if own and own[-1][0] > BUDGETS * own[0][0]:
            axes.plot([x for x, *_ in own], [y for _, y, _ in own], **line)
        axes.plot([], [], label=layout.title(name), **look)
        for x, y, partial in own:
            mark = {"marker": "X", "markersize": 8, "markeredgecolor": "white"} if partial else {}
            axes.plot([x], [y], **look | mark)
    axes.set_xlabel("Visibility (LPIPS to the clean image)")
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
