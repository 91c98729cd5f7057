"""Metrics on the scale of two controls: 0 is the score of one, 1 that of the other.

What a raw score is worth depends on the model. On the scale between what the exploit gets without
a subject's images and what the subject's own images get, models can be compared. Each subject has
its own 0; the distance from 0 to 1 is the mean over subjects. Were it each subject's own, one whose
works are close to what the model makes untrained would outweigh all others: of five validation
artists one had an eleventh of another's distance. Such a metric is no measurement of its own:
boards compute it from cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

import numpy as np
import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.metric import MetricInfo, Scale
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.schema import control
from impress_bench.leaderboard.statistics import subject_means

#: Subject and seed.
Place = tuple[str, int]


def with_scaled(cells: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """`cells` and, for every metric of a task that has a `scale`, the rows of that metric."""
    added = [
        _scaled(cells[cells["task"] == task], metric, metric.scale)
        for task in sorted(set(cells["task"]))
        for metric in layout.declared(task)
        if metric.scale is not None
    ]
    added = [rows for rows in added if len(rows)]
    return pd.concat([cells, *added], ignore_index=True) if added else cells


def _scaled(cells: pd.DataFrame, metric: MetricInfo, scale: Scale) -> pd.DataFrame:
    """The rows of `metric` from the cells of one task.

    A row is done where its own cell and those of both controls are, of the same subject and seed,
    and where the control that stands for 1 is the better one in the mean.
    """
    rows = cells[cells["metric"] == scale.of].copy()
    rows["metric"] = metric.name
    if scale.squared:
        rows["value"] = np.sign(rows["value"]) * rows["value"].abs() ** 0.5
    ends = [
        rows[rows["protection"] == control(name)].set_index(["subject", "seed"])
        for name in (scale.zero, scale.one)
    ]
    by_place = [
        dict(zip(end.index, zip(end["state"], end["value"], strict=True), strict=True))
        for end in ends
    ]
    known = {
        place: [end[place] for end in by_place] for place in by_place[0].keys() & by_place[1].keys()
    }
    width = _width(known)
    results = [
        _result(str(state), value, reason, known.get(place), width, scale)
        for state, value, reason, place in zip(
            rows["state"], rows["value"], rows["reason"],
            zip(rows["subject"], rows["seed"], strict=True), strict=True,
        )
    ]  # fmt: skip
    rows[["value", "state", "reason"]] = pd.DataFrame(
        results, columns=["value", "state", "reason"], index=rows.index
    )
    return rows


def _width(known: Mapping[Place, list[tuple[str, float]]]) -> float:
    """The mean over subjects, after averaging each one's seeds, of the score of the control that
    stands for 1 less that of the other; NaN if nowhere both are done."""
    differences = [
        (subject, one - zero)
        for (subject, _), ((zero_state, zero), (one_state, one)) in known.items()
        if {zero_state, one_state} == {State.DONE.value}
    ]
    return fmean(subject_means(differences).values()) if differences else math.nan


def _result(
    state: str,
    value: float,
    reason: object,
    ends: list[tuple[str, float]] | None,
    width: float,
    scale: Scale,
) -> tuple[float, str, object]:
    """Value, state and reason of one row on the scale whose `ends` are the controls' states and
    values, None if either was not run."""
    if state != State.DONE:
        return math.nan, state, reason
    names = f"the controls {scale.zero} and {scale.one}"
    if ends is None:
        return math.nan, State.MISSING.value, f"not run: {names}, between which it is scaled"
    (zero_state, zero), (one_state, _) = ends
    if {zero_state, one_state} != {State.DONE.value}:
        return math.nan, State.MISSING.value, f"not scored: {names}, between which it is scaled"
    if width <= 0 if scale.higher_is_better else width >= 0:
        return (
            math.nan,
            State.FAILED.value,
            f"no scale: {scale.one} scores no better than {scale.zero}",
        )
    return (value - zero) / width, State.DONE.value, reason
