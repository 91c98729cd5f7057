"""The picture of the inconsistency board: one dot per image, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from impress_bench.leaderboard.boards.inconsistency import (
    Condition,
    clean_condition,
    condition_title,
    is_error,
)
from impress_bench.leaderboard.entries import Key, collect
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.plots.saving import save
from impress_bench.leaderboard.separation import separation

COLOURS = {
    "clean": "#4d4d4d",
    "noise": "#c98b1b",
    "protection": "#b5382a",
    "control": "#4d4d4d",
    "purified": "#2166ac",
}


def plot_inconsistency(inspections: pd.DataFrame, layout: Layout, path: Path) -> Path | None:
    """Draws reconstruction errors of clean, protected and purified images.

    Parameters:
        inspections: A table with the columns that `schema` declares.
        layout: Titles and order.
        path: The PNG or SVG to write.

    Of several tasks, one is drawn (`drawn_task`). All protections are drawn, but purified images
    only of the reference protection if it was inspected, so that the picture stays readable.
    Returns `path`, or None if there is no error to draw.
    """
    if inspections.empty:
        return None
    task = drawn_task(inspections, layout)
    entries = collect(inspections.rename(columns={"measure": "metric"}), task)
    measures = sorted({k.metric for k in entries if is_error(k.metric)}, key=_order)
    conditions = _conditions(layout, entries.keys())
    if not measures or not conditions:
        return None
    names = [condition_title(layout, condition) for condition in conditions]
    # In inches: a panel with its AUC labels, and 0.085 per character of the longest row label.
    width = 3.6 * len(measures) + 0.085 * max(map(len, names)) + 0.6
    figure = Figure((width, 0.42 * len(conditions) + 1.7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        values = {c: entries[k].values for c in conditions if (k := Key(*c, measure)) in entries}
        _panel(axes, layout, conditions, values)
        axes.set_xlabel(
            layout.measure_title(measure) + (" (MSE)" if measure.endswith("-error") else "")
        )
    panels[0].set_yticks(range(len(conditions)), names)
    panels[0].invert_yaxis()
    title = "Reconstruction errors, one dot per image"
    if any(axes.texts for axes in panels):
        title += "\nAUC: chance of a larger error than clean"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return save(figure, path, 160)


def drawn_task(inspections: pd.DataFrame, layout: Layout) -> str:
    """The first task whose clean images were inspected, which others are told from; without one,
    the first."""
    bare = inspections[inspections["purifier"] == layout.roles.no_purifier]
    clean = [layout.kind(name) == "clean" for name in bare["protection"]]
    return str(min(bare["task"][clean], default=min(inspections["task"])))


def _order(measure: str) -> tuple[bool, bool, str]:
    """The paper's measures first."""
    return (measure != "vae-error", measure != "ldm-error", measure)


def _conditions(layout: Layout, keys: Iterable[Key]) -> list[Condition]:
    """The conditions of the rows, from top to bottom."""
    found = {(key.protection, key.purifier) for key in keys}
    none = layout.roles.no_purifier
    reference = layout.meta.reference_protection
    inspected = {protection for protection, _ in found}
    shown = {reference} if reference in inspected else inspected
    return [
        (protection, purifier)
        for protection in layout.protections(inspected)
        for purifier in layout.purifiers(name for _, name in found)
        if (protection, purifier) in found and (purifier == none or protection in shown)
    ]


def _panel(
    axes: Axes,
    layout: Layout,
    conditions: list[Condition],
    values: dict[Condition, dict[str, list[float]]],
) -> None:
    """Draws the dots, boxes and AUC labels of one measure.

    With a single subject there is no AUC label: it would say nothing of other subjects.
    """
    clean = clean_condition(layout, conditions)
    jitter = np.random.default_rng(0)
    for place, condition in enumerate(conditions):
        by_subject = values.get(condition, {})
        dots = np.array([value for subject in by_subject.values() for value in subject])
        dots = dots[dots > 0]  # a logarithmic scale has no place for an exact reconstruction
        if dots.size == 0:
            continue
        purified = condition[1] != layout.roles.no_purifier
        colour = COLOURS["purified" if purified else layout.kind(condition[0])]
        heights = place + jitter.uniform(-0.22, 0.22, dots.size)
        axes.scatter(dots, heights, s=9, color=colour, alpha=0.35, linewidths=0, zorder=2)
        axes.boxplot(
            dots, positions=[place], orientation="horizontal", widths=0.5, showfliers=False,
            manage_ticks=False, zorder=3, medianprops={"color": colour, "linewidth": 2},
            boxprops={"color": colour}, whiskerprops={"color": colour}, capprops={"color": colour},
        )  # fmt: skip
        if clean and condition != clean and clean in values:
            area = separation(values[clean], by_subject)
            if area.mean is not None and area.n > 1:
                axes.text(1.02, place, f"{area.mean:.2f}", transform=axes.get_yaxis_transform(),
                          va="center", color=colour, fontsize=9, fontweight="bold")  # fmt: skip
    if axes.texts:
        axes.text(1.02, -0.75, "AUC", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.06)
    low, high = axes.get_xlim()
    # Labels within decades overlap if there are more than one and a bit.
    subs = (1.0, 2.0, 5.0) if math.log10(high / low) <= 1.3 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(-0.6, len(conditions) - 0.4)
    axes.grid(axis="x", which="major", color="#e6e6e6", zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
