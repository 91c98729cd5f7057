"""How much subjects differ in published runs, so that a plan can say what it can find in units.

`spreads.toml`, which `tools/published_spreads.py` writes, has the standard deviation over subjects
of what a protection takes beyond its matched noise, by preset, task and primary metric.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Spread(NamedTuple):
    """The standard deviation `std` over the `subjects` of a published preset, in the metric's
    units, of the paired difference of a protection and its matched noise."""

    preset: str
    model: str
    task: str
    metric: str
    protection: str
    subjects: int
    std: float


def published(model: str, task: str, metric: str) -> Spread | None:
    """The spread to plan with: of the run with the most subjects, and there of the protection with
    the largest; None if nothing of that model, task and metric is published."""
    found = [one for one in _read() if (one.model, one.task, one.metric) == (model, task, metric)]
    return max(found, key=lambda one: (one.subjects, one.std), default=None)


@cache
def _read() -> list[Spread]:
    text = Path(__file__).with_name("spreads.toml").read_text(encoding="utf-8")
    return [Spread(**one) for one in tomllib.loads(text).get("spread", [])]
