"""Adapted protections among the cells of a task: what Tables 3 to 6 have in common.

Whatever is adapted is read off the names: `base+consistency[weight=40]`, `base+o-pgd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Entry, Key, collect
from impress_bench.leaderboard.layout import Layout, parsed


class Task(NamedTuple):
    """What was measured of one task."""

    name: str
    entries: Mapping[Key, Entry]
    metrics: list[MetricInfo]
    protections: list[str]
    subjects: int


def measured(cells: pd.DataFrame, role: str, layout: Layout) -> Task:
    """The cells of the task that plays a role."""
    task = layout.role(role)
    described = layout.meta.get("metrics", {}).get(task, ())
    entries = collect(cells, task, [item["name"] for item in described])
    metrics = layout.metrics(task, [key.metric for key in entries])
    protections = layout.protections(key.protection for key in entries)
    subjects = cells.loc[cells["task"] == task, "subject"].nunique()
    return Task(task, entries, metrics, protections, subjects)


def variants(task: Task, role: str, layout: Layout) -> dict[str, list[str]]:
    """Protections adapted by what plays a role, by what they adapt."""
    adaptation = layout.role(role)
    found: dict[str, list[str]] = {}
    for name in task.protections:
        spec = parsed(name)
        if spec.adapted is not None and spec.adaptations[-1].name == adaptation:
            found.setdefault(str(spec.adapted), []).append(name)
    return found
