"""How often 95 % intervals hold the truth, as simulated, in a sentence for boards.

`coverage.json`, which `tools/simulate_coverage.py` writes, has what was found by kind of interval,
case and number of subjects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from impress_bench.leaderboard.layout import listed, subjects_text

#: What an interval of a kind holds.
TRUTHS = {"difference": "the true difference", "recovered": "the true recovered share"}
#: Subjects, kind of interval: the least and the largest share of runs that it held in.
Ranges = dict[int, dict[str, tuple[float, float]]]


@cache
def simulated() -> Ranges:
    """What was found, by number of subjects and kind of interval."""
    found: dict[int, dict[str, list[float]]] = {}
    for row in json.loads(Path(__file__).with_name("coverage.json").read_text(encoding="utf-8")):
        for subjects, held in row["covered"].items():
            found.setdefault(int(subjects), {}).setdefault(row["interval"], []).append(held)
    return {
        subjects: {kind: (min(held), max(held)) for kind, held in kinds.items()}
        for subjects, kinds in found.items()
    }


def coverage_text(subjects: Iterable[int], *kinds: str) -> str:
    """How often intervals of `kinds`, keys of `TRUTHS`, hold the truth with so many subjects.

    Numbers between those that were simulated have the text of the next smaller one; "" for fewer
    subjects than were simulated at all.
    """
    known = simulated()
    below = [[size for size in known if size <= number] for number in subjects]
    sizes = sorted({max(one) for one in below if one})
    if not sizes:
        return ""
    parts = [
        f"{TRUTHS[kind]} "
        + listed([f"{_times(known[size][kind])} with {subjects_text(size)}" for size in sizes])
        for kind in kinds
    ]
    return (
        f"In simulated runs, such intervals hold {listed(parts)}, least often for shares of "
        "images of few subjects that differ much."
    )


def _times(held: tuple[float, float]) -> str:
    low, high = (f"{100 * share:.0f}" for share in held)
    return f"{low} to {high} times in 100" if low != high else f"{low} times in 100"
