"""Scatter plots as shapes for SVG: what a protection achieves, against its visibility or its cost.

A protection is a filled point without a purifier and a hollow one after the reference purifier,
joined by a line: the line's length is what the purifier undoes. Points carry numbers, since colours
alone do not tell many rows apart; the legend has the names and the values as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.plots.tradeoff import Point
from impress_bench.leaderboard.render import numbers

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 380, 64, 28, 16, 52


class Mark(NamedTuple):
    """A protection: the x of its points, the y without a purifier and after the reference purifier
    (None: not measured), and where its number stands."""

    number: int
    protection: str
    x: float
    bare: float | None
    purified: float | None
    label: tuple[float, float]


class Scatter(NamedTuple):
    """One plot: axis titles, ticks (position and text), marks, and the titles without an x."""

    name: str
    x_title: str
    y_title: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    marks: Sequence[Mark]
    lacking: Sequence[str]


def visibility_plot(points: Sequence[Point], layout: Layout, metric: MetricInfo) -> Scatter | None:
    """Scores against LPIPS to the clean image; None with fewer than two protections."""
    places = {point.protection: point.visibility for point in points}
    return _plot("visibility", "Visibility (LPIPS to the clean image)", points, places, layout,
                 metric, False)  # fmt: skip


def cost_plots(
    points: Sequence[Point], layout: Layout, metric: MetricInfo, seconds: Mapping[str, float]
) -> list[Scatter]:
    """Scores against passes through networks per image, and against `seconds` per subject; none
    with fewer than two protections of which that is known."""
    kinds = {
        "passes": ("Cost (passes through networks per image)", layout.meta.passes),
        "seconds": ("Cost (seconds per subject)", seconds),
    }
    plots = []
    for name, (title, costs) in kinds.items():
        places = {one.protection: costs[one.protection] for one in points
                  if costs.get(one.protection, 0) > 0}  # fmt: skip
        plots.append(_plot(name, title, points, places, layout, metric, True))
    return [plot for plot in plots if plot is not None]


def values(
    points: Sequence[Point], layout: Layout, metric: MetricInfo, seconds: Mapping[str, float]
) -> list[tuple[int, str, list[str]]]:
    """What the plots show as text: each protection's number, its spec, its visibility, its passes,
    its seconds, and its scores without a purifier and after the reference purifier."""
    states = (layout.roles.no_purifier, layout.roles.purifier)
    rows = []
    for number, point in enumerate(points, 1):
        passes = layout.meta.passes.get(point.protection)
        scores = [
            numbers([point.scores[state]], metric.percent)[0]
            + " (not all subjects)" * (state in point.partial)
            if state in point.scores
            else ""
            for state in states
        ]
        costs = ["" if passes is None else f"{passes:.0f}"]
        took = seconds.get(point.protection)
        costs.append("" if took is None else f"{took:.2f}")
        rows.append((number, point.protection, [f"{point.visibility:.3f}", *costs, *scores]))
    return rows


def _plot(
    name: str,
    x_title: str,
    points: Sequence[Point],
    places: dict[str, float],
    layout: Layout,
    metric: MetricInfo,
    logarithmic: bool,
) -> Scatter | None:
    shown = [point for point in points if point.protection in places]
    if len(shown) < 2:
        return None
    scale = 100 if metric.percent else 1
    bare, purified = layout.roles.no_purifier, layout.roles.purifier
    warp: Callable[[float], float] = math.log10 if logarithmic else float
    x_ticks = _decades(list(places.values())) if logarithmic else _ticks([0.0, *places.values()])
    y_ticks = _ticks([scale * score for point in shown for score in point.scores.values()])
    x_of = _axis(warp(x_ticks[0]), warp(x_ticks[-1]), LEFT, WIDTH - RIGHT)
    y_of = _axis(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    marks: list[Mark] = []
    for number, point in enumerate(points, 1):
        if point not in shown:
            continue
        heights = [
            round(y_of(scale * point.scores[one]), 1) if one in point.scores else None
            for one in (bare, purified)
        ]
        x = round(x_of(warp(places[point.protection])), 1)
        top = min(height for height in heights if height is not None)
        taken = [mark.label for mark in marks]
        marks.append(
            Mark(number, point.protection, x, heights[0], heights[1], _free(x, top, taken))
        )
    unit = "per cent" if metric.percent else metric.unit
    y_title = f"{metric.title} ({unit})" if unit else metric.title
    lacking = [layout.title(point.protection) for point in points if point not in shown]
    return Scatter(
        name, x_title, y_title,
        [(round(x_of(warp(tick)), 1), f"{tick:g}") for tick in x_ticks],
        [(round(y_of(tick), 1), f"{tick:g}") for tick in y_ticks],
        marks, lacking,
    )  # fmt: skip


def _axis(low: float, high: float, start: int, end: int) -> Callable[[float], float]:
    """From values between `low` and `high` to positions between `start` and `end`."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _ticks(values: Sequence[float]) -> list[float]:
    """Four to nine round numbers that enclose the values."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span))
    step *= next(share for share in (0.2, 0.5, 1, 2, 5) if span / (step * share) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return [float(f"{place * step:.10g}") for place in range(first, last + 1)]


def _decades(values: Sequence[float]) -> list[float]:
    """Powers of ten that enclose the values, at least two."""
    first = math.floor(math.log10(min(values)))
    last = max(math.ceil(math.log10(max(values))), first + 1)
    return [10.0**place for place in range(first, last + 1)]


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A place for a number to the right of a point, above or below the numbers that stand there."""
    x, y = min(round(x + 9, 1), WIDTH - 14), max(y, TOP + 4)
    steps = [place * way for place in range(0, 300, 12) for way in (-1, 1)]
    for step in steps:
        here = round(y + step, 1)
        inside = TOP <= here <= HEIGHT - BOTTOM
        if inside and all(abs(x - a) > 20 or abs(here - b) >= 12 for a, b in taken):
            return x, here
    return x, y
