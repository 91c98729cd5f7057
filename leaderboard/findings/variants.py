"""Adapted protections among the cells of a task: what Tables 3 to 6 have in common.

What is adapted, and by what, follows from specs such as `glaze+consistency[weight=40]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Entry, Key, collect
from impress_bench.leaderboard.layout import Layout, parsed


class Task(NamedTuple):
    """What was measured of one task; `subjects` is their number."""

    name: str
    entries: Mapping[Key, Entry]
    metrics: list[MetricInfo]
    protections: list[str]
    subjects: int


def measured(cells: pd.DataFrame, role: str, layout: Layout) -> Task:
    """The cells of the task that plays a part, "mimicry" or "editing"."""
    return measured_task(cells, layout.role(role), layout)


def measured_task(cells: pd.DataFrame, task: str, layout: Layout) -> Task:
    """The cells of a task by its name."""
    entries = collect(cells, task, [metric.name for metric in layout.declared(task)])
    metrics = layout.metrics(task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    subjects = cells.loc[cells["task"] == task, "subject"].nunique()
    return Task(task, entries, metrics, protections, subjects)


def variants(task: Task, role: str, layout: Layout) -> dict[str, list[str]]:
    """The protections whose last adaptation plays a part, by the spec of what it adapts."""
    adaptation = layout.role(role)
    found: dict[str, list[str]] = {}
    for name in task.protections:
        spec = parsed(name)
        if spec.adapted is not None and spec.adaptations[-1].name == adaptation:
            found.setdefault(str(spec.adapted), []).append(name)
    return found
