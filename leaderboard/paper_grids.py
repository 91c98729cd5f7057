"""Tables 1 to 6 of the IMPRESS paper as grids: which condition stands in which cell.

Cao et al. 2023. The figures are those of `paper`; here is how they are laid out there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from impress_bench.leaderboard.layout import Layout, parsed
from impress_bench.leaderboard.paper import (
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    Reported,
    ReportedPairs,
)

#: A protection and a purifier.
Condition = tuple[str, str]
#: metric -> condition -> the paper's mean
Means = Mapping[str, Mapping[Condition, float]]

CLEAN, NONE, PURIFIER = "identity", "none", "impress"


class Grid(NamedTuple):
    """One table of the paper.

    `part` is the task that it is about, a field of `Roles`. A metric has one row per entry of
    `lines`: what stands behind the metric's title, and the conditions of its cells under `heads`.
    `below` are second heads, or nothing.
    """

    title: str
    part: str
    means: Means
    heads: Sequence[str]
    lines: Mapping[str, Sequence[Condition]]
    below: Sequence[str] = ()


def grids(layout: Layout) -> list[Grid]:
    """Tables 1 to 6, with the titles of protections and purifiers as `layout` has them."""
    return [
        _purifiers("Table 1", "mimicry", TABLE_1, layout),
        _purifiers("Table 2", "editing", TABLE_2, layout),
        _weights("Table 3", layout),
        *_pairs("Table 4", "mimicry", TABLE_4, layout),
        *_pairs("Table 5", "editing", TABLE_5, layout),
        *_pairs("Table 6", "mimicry", TABLE_6, layout),
    ]


def _purifiers(title: str, part: str, table: Reported, layout: Layout) -> Grid:
    """Tables 1 and 2: clean, protected, and after each purifier."""
    means = {name: {key: mean for key, (mean, _) in rows.items()} for name, rows in table.items()}
    conditions = list(dict.fromkeys(key for rows in means.values() for key in rows))
    heads = [layout.title(key[0] if key[1] == NONE else key[1]) for key in conditions]
    return Grid(title, part, means, heads, {"": conditions})


def _weights(title: str, layout: Layout) -> Grid:
    """Table 3: a column per weight of the consistency term, called gamma there."""
    states = NONE, PURIFIER
    means = {
        metric: {
            (name, state): mean
            for name, pair in rows.items()
            for state, mean in zip(states, pair, strict=True)
        }
        for metric, rows in TABLE_3.items()
    }
    names = list(dict.fromkeys(name for rows in TABLE_3.values() for name in rows))
    heads = [f"γ = {parsed(name).adaptations[-1].parameter('weight')}" for name in names]
    told = {"protected": NONE, f"after {layout.title(PURIFIER)}": PURIFIER}
    lines = {text: [(name, state) for name in names] for text, state in told.items()}
    return Grid(title, "mimicry", means, heads, lines)


def _pairs(title: str, part: str, table: ReportedPairs, layout: Layout) -> list[Grid]:
    """Tables 4 to 6: clean, where the paper has it, then protected and purified, without and with
    the adaptation; one grid per adapted protection, of which the paper has one per table."""
    found: dict[str, dict[str, dict[Condition, float]]] = {}
    for metric, rows in table.items():
        for adapted, texts in rows.items():
            plain = str(parsed(adapted).adapted)
            places = [(name, state) for name in (plain, adapted) for state in (NONE, PURIFIER)]
            places = [(CLEAN, NONE)] * (len(texts) - 4) + places
            values = [float(re.match(r"[\d.]+", text)[0]) for text in texts]  # type: ignore[index]
            found.setdefault(adapted, {})[metric] = dict(zip(places, values, strict=True))
    made = []
    for adapted, means in found.items():
        conditions = list(next(iter(means.values())))
        clean = [layout.title(CLEAN)] * (len(conditions) - 4)
        heads = [*clean, "Without adaptation", "", f"With {layout.title(adapted)}", ""]
        below = [*[""] * len(clean), *["Protected", "Purified"] * 2]
        made.append(Grid(title, part, means, heads, {"": conditions}, below))
    return made
