"""The form of cells.csv: the plugin's own cells, those they are compared with, and the controls.

All of it ends up on a page and in names of files: nothing but what `submit` writes is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.spec import Spec, parse_spec
from impress_bench.benchmark.submissions.confined import SPEC, is_plain
from impress_bench.benchmark.submissions.lines import (
    NUMBER,
    Line,
    check_lines,
    numbers,
    parse_lines,
)
from impress_bench.leaderboard.schema import CELLS, CONTROL, is_control

PLACE = list(CELLS.place)
#: A run that is not finished is no submission.
STATES = [state for state in State if state is not State.MISSING]
#: What each column may hold; the reason is free, but plain text.
PATTERNS = {
    "task": r"[a-z][a-z0-9-]*",
    "subject": r"[\w .'()-]{1,100}",
    "protection": rf"({CONTROL}[a-z0-9-]+|{SPEC})",
    "purifier": rf"({SPEC})?",
    "seed": r"\d{1,9}",
    "metric": r"[a-z][a-z0-9-]*",
    "value": NUMBER,
    "state": "|".join(STATES),
    "reason": r".*",
}


def parse_cells(content: bytes) -> pd.DataFrame:
    """The file as text columns. Raises ValueError or csv.Error for what is no such table."""
    return parse_lines(content, CELLS.columns)


def typed(cells: pd.DataFrame) -> pd.DataFrame:
    """Checked cells as a run has them; a cell that is not done has no value."""
    return cells.assign(seed=cells["seed"].astype(int), value=numbers(cells["value"]))


def check_form(cells: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Line and complaint, for the first lines that are wrong."""
    yield from check_lines(cells, PATTERNS, PLACE, _check)


def _check(values: Mapping[str, str]) -> None:
    control = is_control(values["protection"])
    if control != (not values["purifier"]):
        raise Line("names a purifier of a control" if control else "names no purifier")
    if not control:
        for column in ("protection", "purifier"):
            canonical(column, values[column])
    if not is_plain(values["reason"]):
        raise Line(f"reason {values['reason']!r} is no plain text; `submit` writes it so")
    done = values["state"] == State.DONE
    if done != bool(values["value"]) or (done and not math.isfinite(float(values["value"]))):
        raise Line(f"has the value {values['value']!r} and the state {values['state']}")
    if done == bool(values["reason"]):
        raise Line(f"has the reason {values['reason']!r} and the state {values['state']}")


@lru_cache(maxsize=1024)
def canonical(column: str, text: str) -> Spec:
    """The component that a column names in the one way that it is written. Raises Line."""
    try:
        spec = parse_spec(text)
    except (ConfigError, ValueError, RecursionError) as error:
        raise Line(f"{column}: {error}") from None
    if str(spec) != text:
        raise Line(f"{column} {text!r} is written {str(spec)!r}")
    return spec
