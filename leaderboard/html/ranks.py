"""Rank intervals of protections: which ranks their paired differences allow.

A row's rank is 1 and the number of rows that protect better. What the data say of each of these
comparisons is the interval of a paired difference, so that what all rows have in common, such as
subjects that are hard to imitate, does not count. The intervals of one row's comparisons hold
together (Bonferroni), which makes those of its rank hold with 95 % (Mogstad, Romano, Shaikh and
Wilhelm 2024, "Inference for ranks", Review of Economic Studies 91).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from scipy.special import stdtrit

from impress_bench.leaderboard.statistics import paired_difference


class RankInterval(NamedTuple):
    """The best and the worst rank that the data allow, of how many rows."""

    best: int
    worst: int
    rows: int

    def __str__(self) -> str:
        ranks = str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"
        return f"{ranks} of {self.rows}"


def rank_intervals(
    scores: Mapping[str, Mapping[str, float]], higher_is_better: bool
) -> dict[str, RankInterval]:
    """The rank interval of each row; rank 1 protects best.

    Parameters:
        scores: The exploit's scores, by row and subject.
        higher_is_better: Whether higher scores mean a more successful exploit.

    Rows without a score are left out. Two rows that share fewer than two subjects are not told
    apart.
    """
    rows = [name for name, by_subject in scores.items() if by_subject]
    better = dict.fromkeys(rows, 0)
    worse = dict.fromkeys(rows, 0)
    for place, name in enumerate(rows):
        for other in rows[place + 1 :]:
            side = _side(scores[name], scores[other], len(rows) - 1)
            if side:
                protects = (side < 0) == higher_is_better
                winner, loser = (name, other) if protects else (other, name)
                better[loser] += 1
                worse[winner] += 1
    count = len(rows)
    return {name: RankInterval(1 + better[name], count - worse[name], count) for name in rows}


def _side(first: Mapping[str, float], second: Mapping[str, float], comparisons: int) -> int:
    """1 if `first` is higher, -1 if `second` is, 0 if the interval of their difference holds 0."""
    found = paired_difference(first, second)
    if found.mean is None or found.std is None:
        return 0
    level = 1 - 0.05 / (2 * comparisons)
    half = float(stdtrit(found.n - 1, level)) * found.std / math.sqrt(found.n)
    if found.mean - half > 0:
        return 1
    return -1 if found.mean + half < 0 else 0
