"""CSV files of a submission: plain lines under a fixed header, each of a place of its own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd

#: Characters that any value may have, and how many wrong lines are named.
LONGEST, MOST = 300, 20
NUMBER = r"(-?\d{1,20}(\.\d{1,30})?(e[+-]?\d{1,3})?)?"


class Line(Exception):
    """What is wrong with a line of the file."""


def parse_lines(content: bytes, columns: Sequence[str]) -> pd.DataFrame:
    """The file as text columns. Raises ValueError or csv.Error for what is no such table."""
    text = content.decode("utf-8")
    first, header = text.partition("\n")[0].rstrip("\r"), ",".join(columns)
    if first != header:
        raise ValueError(f"its first line is {first[:LONGEST]!r}, not {header!r}")
    _, *rows = csv.reader(io.StringIO(text, newline=""))
    for at, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise ValueError(f"line {at} has {len(row)} columns, not {len(columns)}")
    if not rows:
        raise ValueError("it claims nothing")
    return pd.DataFrame(rows, columns=list(columns), dtype=str)


def check_lines(
    frame: pd.DataFrame,
    patterns: Mapping[str, str],
    place: Sequence[str],
    check: Callable[[Mapping[str, str]], None],
) -> Iterator[tuple[str, str]]:
    """Line and complaint, for the first lines that are wrong: a value that does not match its
    column's pattern, what `check` raises as `Line`, a place that is there already."""
    compiled = {column: re.compile(pattern) for column, pattern in patterns.items()}
    complaints = 0
    seen: set[tuple[str, ...]] = set()
    for at, row in enumerate(frame.itertuples(index=False), start=2):
        values = dict(zip(frame.columns, row, strict=True))
        here = tuple(values[column] for column in place)
        try:
            _match(values, compiled)
            check(values)
            if here in seen:
                raise Line("names what is there already")
        except Line as error:
            yield f"line {at}", str(error)
            complaints += 1
        seen.add(here)
        if complaints == MOST:
            return


def numbers(column: pd.Series) -> list[float]:
    """The values of a checked column; NaN where there is none."""
    return [float(text) if text else float("nan") for text in column]


def _match(values: Mapping[str, str], compiled: Mapping[str, re.Pattern[str]]) -> None:
    for column, text in values.items():
        if len(text) > LONGEST:
            raise Line(f"{column} is longer than {LONGEST} characters")
        if not compiled[column].fullmatch(text) or not text.isprintable():
            raise Line(f"{column} {text!r} is nothing that a run writes there")
