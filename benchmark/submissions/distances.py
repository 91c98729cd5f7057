"""The form of distances.csv: how far each image of each row was moved, as boards show it.

Distances are on images in [0, 1] with 8-bit values, so that L-infinity is a multiple of 1/255.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from impress_bench.benchmark.contract import NORMS, State
from impress_bench.benchmark.submissions.cells import PATTERNS as OF_CELLS
from impress_bench.benchmark.submissions.cells import canonical
from impress_bench.benchmark.submissions.confined import SPEC
from impress_bench.benchmark.submissions.lines import (
    NUMBER,
    Line,
    check_lines,
    numbers,
    parse_lines,
)
from impress_bench.leaderboard.schema import PROTECTIONS

PLACE = list(PROTECTIONS.place)
PATTERNS = {
    "task": OF_CELLS["task"],
    "subject": OF_CELLS["subject"],
    "protection": SPEC,
    "image": r"[A-Za-z0-9][\w -]{0,99}|",
    **dict.fromkeys(NORMS, NUMBER),
    "state": OF_CELLS["state"],
}
#: Values in which something was measured.
MEASURED = (State.DONE, State.OVER_BUDGET)
#: What a reader sees at a glance: the largest budget of the published protections.
VISIBLE = 16 / 255
#: LPIPS of unlike images is seldom above 1.2; its heads bound it well below this.
LARGEST_LPIPS = 4.0
#: Half of what rounding to 17 digits may move.
ROUNDING = 1e-6


def parse_distances(content: bytes) -> pd.DataFrame:
    """The file as text columns. Raises ValueError or csv.Error for what is no such table."""
    return parse_lines(content, PROTECTIONS.columns)


def typed(distances: pd.DataFrame) -> pd.DataFrame:
    """Checked distances as a run has them."""
    return distances.assign(**{norm: numbers(distances[norm]) for norm in NORMS})


def check_form(distances: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Line and complaint, for the first lines that are wrong."""
    yield from check_lines(distances, PATTERNS, PLACE, _check)


def _check(values: Mapping[str, str]) -> None:
    canonical("protection", values["protection"])
    measured = values["state"] in MEASURED
    if measured != all(values[norm] for norm in NORMS) or measured != bool(values["image"]):
        raise Line(f"has the state {values['state']} and {'not ' * measured}all of {list(NORMS)}")
    if not measured and any(values[norm] for norm in NORMS):
        raise Line(f"has distances and the state {values['state']}")
    if measured:
        _check_norms(*(float(values[norm]) for norm in NORMS))


def _check_norms(linf: float, l2: float, lpips: float) -> None:
    """Raise Line for distances that no 8-bit images in [0, 1] have."""
    if not all(map(math.isfinite, (linf, l2, lpips))):
        raise Line("has a distance without end")
    if not 0 <= linf <= 1:
        raise Line(f"linf {linf:g} lies outside [0, 1]: an epsilon of {linf:g} levels is"
                   f" {linf:g}/255")  # fmt: skip
    if abs(255 * linf - round(255 * linf)) > 255 * ROUNDING:
        raise Line(f"linf {linf:g} is no multiple of 1/255, as 8-bit images have it")
    if l2 < linf - ROUNDING:
        raise Line(f"l2 {l2:g} is below linf {linf:g}, which no change is")
    if not 0 <= lpips <= LARGEST_LPIPS:
        raise Line(f"lpips {lpips:g} lies outside [0, {LARGEST_LPIPS:g}]")
    if (linf == 0) != (l2 == 0) or (linf == 0 and lpips > 0):
        raise Line(f"says of one image linf {linf:g}, l2 {l2:g}, lpips {lpips:g}")
    if linf > 0 and lpips == 0:
        raise Line(f"lpips is 0 although linf is {linf:g}")
