"""The form of cells.csv: plain lines that name the plugin's own cells, each once.

All of it ends up on a page and in names of files: nothing but what `submit` writes is taken.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.spec import parse_spec
from impress_bench.leaderboard.schema import CELLS

HEADER = ",".join(CELLS.columns)
SPEC = r"[a-z0-9][\w\-+=.,/\[\]>: ]*"
#: What each column may hold; the reason is free, but one printable line.
PATTERNS = {
    "task": r"[a-z][a-z0-9-]*",
    "subject": r"[\w .'()-]{1,100}",
    "protection": SPEC,
    "purifier": SPEC,
    "seed": r"\d{1,9}",
    "metric": r"[a-z][\w\-=.,\[\]]*",
    "value": r"(-?\d{1,20}(\.\d{1,30})?(e[+-]?\d{1,3})?)?",
    "state": "|".join(State),
    "reason": r".{0,2000}",
}
LONGEST, MOST = 300, 20


class Line(Exception):
    """What is wrong with a line of the file."""


def parse_cells(content: bytes) -> pd.DataFrame:
    """The file as text columns. Raises ValueError or csv.Error for what is no such table."""
    text = content.decode("utf-8")
    header = text.partition("\n")[0].rstrip("\r")
    if header != HEADER:
        raise ValueError(f"its first line is {header[:LONGEST]!r}, not {HEADER!r}")
    _, *rows = csv.reader(io.StringIO(text, newline=""))
    for at, row in enumerate(rows, start=2):
        if len(row) != len(CELLS.columns):
            raise ValueError(f"line {at} has {len(row)} columns, not {len(CELLS.columns)}")
    if not rows:
        raise ValueError("it claims nothing")
    return pd.DataFrame(rows, columns=CELLS.columns, dtype=str)


def typed(cells: pd.DataFrame) -> pd.DataFrame:
    """Checked cells as a run has them."""
    values = pd.to_numeric(cells["value"].replace("", "nan"))
    return cells.assign(seed=cells["seed"].astype(int), value=values)


def check_form(cells: pd.DataFrame, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Line and complaint, for the first lines that are wrong."""
    complaints = 0
    seen: set[tuple[str, ...]] = set()
    for at, row in enumerate(cells.itertuples(index=False), start=2):
        values = dict(zip(CELLS.columns, row, strict=True))
        place = tuple(values[column] for column in CELLS.place)
        try:
            _check(values, kind, name)
            if place in seen:
                raise Line("names a cell that is there already")
        except Line as error:
            yield f"line {at}", str(error)
            complaints += 1
        seen.add(place)
        if complaints == MOST:
            return


def _check(values: dict[str, str], kind: str, name: str) -> None:
    for column, text in values.items():
        if column != "reason" and len(text) > LONGEST:
            raise Line(f"{column} is longer than {LONGEST} characters")
        if not re.fullmatch(PATTERNS[column], text) or not text.isprintable():
            raise Line(f"{column} {text[:LONGEST]!r} is nothing that a run writes there")
    for column in ("protection", "purifier"):
        try:
            spec = parse_spec(values[column])
        except (ConfigError, ValueError) as error:
            raise Line(f"{column}: {error}") from None
        if str(spec) != values[column]:
            raise Line(f"{column} {values[column]!r} is written {str(spec)!r}")
        if column == kind and spec.name != name:
            raise Line(f"is of {kind} {values[column]!r}, not of {name!r}")
    done = values["state"] == State.DONE
    if done != bool(values["value"]) or (done and not math.isfinite(float(values["value"]))):
        raise Line(f"has the value {values['value']!r} and the state {values['state']}")
