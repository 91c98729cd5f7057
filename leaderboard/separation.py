"""How well a measure separates images: the area under a curve, over subjects.

Its interval is a percentile bootstrap (Efron 1979) that resamples whole subjects, with a fixed
seed; with few subjects it is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from impress_bench.leaderboard.statistics import Summary, common_subjects

RESAMPLES = 10_000


def auc(negatives: Sequence[float], positives: Sequence[float]) -> float:
    """The probability that a positive is larger than a negative, ties counting half: Mann and
    Whitney's U over the number of pairs. Raises ValueError if either side is empty."""
    n, m = len(negatives), len(positives)
    if not n or not m:
        raise ValueError(f"auc needs values on both sides, not {n} and {m}")
    below = np.sort(np.asarray(negatives, float))
    # A tie counts half: the mean of how many lie strictly below and how many not above.
    beaten = sum(np.searchsorted(below, positives, side).sum() for side in ("left", "right")) / 2
    return float(beaten / (n * m))


def separation(
    negatives: Mapping[str, Sequence[float]], positives: Mapping[str, Sequence[float]]
) -> Summary:
    """`auc` over the pooled values of the common subjects, with a bootstrap over subjects.

    `negatives` and `positives` hold the values of each subject's images.
    """
    subjects = common_subjects(negatives, positives)
    n = len(subjects)
    if n == 0:
        return Summary(0)
    pooled = auc(
        [value for s in subjects for value in negatives[s]],
        [value for s in subjects for value in positives[s]],
    )
    if n == 1:
        return Summary(n, pooled)
    below = np.array([len(negatives[s]) for s in subjects], float)
    above = np.array([len(positives[s]) for s in subjects], float)
    weights = _resample(n)
    wins = _wins([negatives[s] for s in subjects], [positives[s] for s in subjects])
    hits = ((weights @ wins) * weights).sum(axis=1)
    return Summary(n, pooled, None, *_bounds(hits, (weights @ below) * (weights @ above)))


def _wins(
    negatives: Sequence[Sequence[float]], positives: Sequence[Sequence[float]]
) -> NDArray[np.float64]:
    """For each pair of subjects, in how many pairs of a negative of the first and a positive of
    the second the positive is larger, ties counting half. Multiples of 0.5: no sum of them rounds.
    """
    pooled = np.concatenate([np.asarray(values, float) for values in positives])
    owner = np.repeat(np.arange(len(positives)), [len(values) for values in positives])
    rows = []
    for values in negatives:
        below = np.sort(np.asarray(values, float))
        beaten = sum(np.searchsorted(below, pooled, side) for side in ("left", "right"))
        rows.append(np.bincount(owner, beaten, len(positives)) / 2)
    return np.array(rows)


# Boards need the same few sizes repeatedly, and drawing takes most of the time.
@lru_cache(maxsize=4)
def _resample(n: int) -> NDArray[np.float64]:
    """How often each of n subjects occurs in each resample, (RESAMPLES, n), read-only."""
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    weights = draws.astype(np.float64)
    weights.flags.writeable = False
    return weights


def _bounds(
    top: NDArray[np.float64], bottom: NDArray[np.float64]
) -> tuple[float, float] | tuple[None, None]:
    """The 2.5 % and 97.5 % quantiles of top / bottom; None if either is unbounded."""
    bounded = bottom > 1e-12
    ratios = np.divide(top, bottom, out=np.zeros_like(top), where=bounded)
    low = float(np.quantile(np.where(bounded, ratios, -np.inf), 0.025, method="lower"))
    high = float(np.quantile(np.where(bounded, ratios, np.inf), 0.975, method="higher"))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
