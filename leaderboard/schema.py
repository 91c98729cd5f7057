"""The four tables of a run: their columns, and which of these name the place of a row.

What measures writes tables of this form, and boards, merges and submissions read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from impress_bench.benchmark.contract import NORMS

if TYPE_CHECKING:
    import pandas as pd

#: How a task's control is written where cells name a protection; its purifier is empty.
CONTROL = "control:"
#: The columns that name a cell; it has one row per metric.
CELL = ("task", "subject", "protection", "purifier", "seed")


class Table(NamedTuple):
    """A table's columns: `place`, which no two rows share, and `values`, what was found there."""

    place: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All columns in the order in which they are stored."""
        return [*self.place, *self.values]

    def frame(self, rows: Iterable[tuple[object, ...]] = ()) -> pd.DataFrame:
        """A data frame of `rows`, each with one value per column."""
        import pandas as pd  # planning needs the names of columns alone

        return pd.DataFrame(list(rows), columns=self.columns)


#: Scores; `state` is a `contract.State`, `value` NaN unless it is done, `reason` empty then.
CELLS = Table((*CELL, "metric"), ("value", "state", "reason"))
#: Distances between each published image and its original, in the units of `metrics`.
PROTECTIONS = Table(("task", "subject", "protection", "image"), (*NORMS, "state"))
#: Reconstruction errors and what else was measured of each image before it was exploited.
INSPECTIONS = Table(
    ("task", "subject", "protection", "purifier", "image", "measure"), ("value",)
)  # fmt: skip
#: What plugins noted of each image while they worked; `purifier` is empty for a protection's note.
NOTES = Table(("task", "subject", "protection", "purifier", "image", "note"), ("value",))

TABLES = {
    "cells": CELLS,
    "protections": PROTECTIONS,
    "inspections": INSPECTIONS,
    "notes": NOTES,
}


def control(name: str) -> str:
    """How cells write the control `name` of a task."""
    return CONTROL + name


def is_control(protection: str) -> bool:
    """Whether what cells name as a protection is a control."""
    return protection.startswith(CONTROL)
