"""Fills in the figures of a page from the stored results: `python tools/results_page.py PAGE...`

A page marks each figure by a comment that says what it is, and this script writes the text up to
the next `<!--/-->`:

    <!--= paper psnr: glaze, impress -->34.97<!--/-->
    <!--= paper psnr: glaze, impress - glaze -->+4.32 [+3.45, +5.18]<!--/-->

The first is a mean over subjects; the second a paired difference with its 95 % interval. A
condition is a protection and, after a comma and a space, a purifier (`none` if it is left out).
`paper` is a folder in leaderboard/results. `psnr@img2img-editing[target=atelier-flow]` is of that
task; without one, of the tasks that the run's own model carries out. Shares of images are printed
in per cent, without the sign. Metrics that boards compute, such as the style score, are computed as
they do.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pandas as pd

from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.statistics import paired_difference, subject_means, summarize

RESULTS = Path(__file__).parents[1] / "leaderboard" / "results"
FIGURE = re.compile(r"<!--= (\S+) (\S+): (.+?) -->(.*?)<!--/-->")


def filled(page: str) -> str:
    """The text of a page with every marked figure as the stored results have it.

    Raises LookupError for a condition or metric that a run does not have.
    """
    return FIGURE.sub(lambda match: _marked(match[1], match[2], match[3]), page)


def _marked(run: str, metric: str, what: str) -> str:
    sides = [_values(run, metric, condition) for condition in what.split(" - ")]
    scale = 100 if _is_share(metric) else 1
    digits = 1 if _is_share(metric) else 2 if metric.startswith(("psnr", "style-score")) else 3
    if len(sides) == 1:
        mean = summarize(list(sides[0].values())).mean
        assert mean is not None
        text = f"{scale * mean:.{digits}f}"
    else:
        found = paired_difference(*sides)
        if found.mean is None or found.low is None or found.high is None:
            raise LookupError(f"{run}: {what}: no interval from {found.n} subjects")
        mean, low, high = (scale * value for value in (found.mean, found.low, found.high))
        text = f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    return f"<!--= {run} {metric}: {what} -->{text}<!--/-->"


def _is_share(metric: str) -> bool:
    return metric.partition("@")[0].rpartition("-")[2] in ("top1", "top3")


@cache
def _cells(run: str) -> pd.DataFrame:
    part = read_part(RESULTS / run)
    cells = with_scaled(part.frames.cells, Layout(part.meta))
    return cells[cells["state"] == "done"]


@cache
def _values(run: str, metric: str, condition: str) -> dict[str, float]:
    """The value of each subject, its seeds averaged."""
    protection, _, purifier = condition.partition(", ")
    name, _, task = metric.partition("@")
    cells = _cells(run)
    targets = cells["task"].str.contains("target=", regex=False)
    cells = cells[cells["task"] == task] if task else cells[~targets]
    purifiers = [purifier] if purifier else ["none", ""]  # controls have no purifier at all
    rows = cells[
        (cells["metric"] == name)
        & (cells["protection"] == protection)
        & cells["purifier"].isin(purifiers)
    ]
    if rows.empty:
        raise LookupError(f"{run} has no {metric} of {condition!r}")
    return subject_means(zip(rows["subject"], rows["value"], strict=True))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
