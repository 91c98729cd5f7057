"""Curves of what an exploit achieves against the share of works that are protected."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Entry, Key, collect
from impress_bench.leaderboard.layout import Layout, file_part, headline, parsed
from impress_bench.leaderboard.plots.saving import save
from impress_bench.leaderboard.plots.tradeoff import COLOURS
from impress_bench.leaderboard.statistics import Summary


class Curve(NamedTuple):
    """A protection and a purifier: the exploit's score by share, from clean (0) to all (1)."""

    protection: str
    purifier: str
    points: dict[float, Summary]


def plot_shares(
    cells: pd.DataFrame, layout: Layout, folder: Path, form: str = "png"
) -> dict[Path, str]:
    """Draws one picture per task and protection of which at least two shares were run.

    Parameters:
        cells: A table with the columns that `schema` declares.
        folder: Where pictures are written.
        form: "png" or "svg".

    Bars are confidence intervals over subjects. Returns the caption of each picture by its path.
    """
    drawn: dict[Path, str] = {}
    for task in sorted(set(cells["task"])):
        scores = collect(cells, task)
        metric = headline(layout.metrics(task, {key.metric for key in scores}))
        if metric is None:
            continue
        curves = curves_of(scores, layout, metric)
        for place, name in enumerate(dict.fromkeys(curve.protection for curve in curves)):
            path = folder / f"shares-{file_part(task)}{f'-{place + 1}' if place else ''}.{form}"
            _draw([c for c in curves if c.protection == name], layout, metric, path)
            drawn[path] = (
                f"{layout.title(task)}: {metric.title} against the share of works that"
                f" {layout.title(name)} protects"
            )
    return drawn


def curves_of(scores: dict[Key, Entry], layout: Layout, metric: MetricInfo) -> list[Curve]:
    """The curve of each protection and purifier with at least two shares between 0 and 1."""
    partial: dict[str, dict[float, str]] = {}
    for name in layout.protections({key.protection for key in scores}):
        spec = parsed(name)
        of, share = spec.parameter("of"), spec.parameter("share")
        if spec.name == layout.roles.partial and isinstance(share, int | float):
            partial.setdefault(str(parsed(str(of))), {})[float(share)] = name
    curves = []
    for base, rows in partial.items():
        rows = {0.0: layout.roles.clean, **dict(sorted(rows.items())), 1.0: base}
        for purifier in layout.purifiers({key.purifier for key in scores}):
            points = {
                share: entry.summary
                for share, name in rows.items()
                if (entry := scores.get(Key(name, purifier, metric.name))) is not None
                and entry.summary.mean is not None
            }
            if sum(0 < share < 1 for share in points) > 1:
                curves.append(Curve(base, purifier, points))
    return curves


def _draw(curves: list[Curve], layout: Layout, metric: MetricInfo, path: Path) -> None:
    """One line per purifier, moved apart a little so that intervals do not cover each other."""
    scale = 100 if metric.percent else 1
    figure = Figure((6.4, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, curve in enumerate(curves):
        colour = COLOURS[place % len(COLOURS)]
        shift = 0.6 * (place - (len(curves) - 1) / 2)
        at = {100 * share + shift: summary for share, summary in curve.points.items()}
        means = [scale * summary.mean for summary in at.values() if summary.mean is not None]
        axes.plot(list(at), means, marker="o", color=colour, linewidth=1.4, markersize=4,
                  label=layout.title(curve.purifier))  # fmt: skip
        for x, summary in at.items():
            if summary.low is not None and summary.high is not None:
                ends = (scale * summary.low, scale * summary.high)
                axes.plot([x, x], ends, color=colour, linewidth=1.0, alpha=0.6)
    if metric.percent:
        axes.set_ylim(-4, 104)  # intervals over few subjects reach beyond what a share can be
    axes.set_xlabel(f"Works protected by {layout.title(curves[0].protection)} (%)")
    axes.set_ylabel(metric.title + (f" ({metric.unit})" if metric.unit else ""))
    axes.legend(fontsize=8, frameon=False)
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, 140)
