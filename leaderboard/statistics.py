"""Means, intervals and comparisons over subjects.

A subject (one artist, say) is the unit: its value is the mean over its seeds or images, and spread
and interval are those of subject values. Intervals of means and of paired differences are
Student's t, `mean ± t(0.975, n - 1) · s / √n`; they assume roughly normal subject values and may
pass the ends of a bounded scale. Ratios and areas under a curve get percentile bootstraps that
resample whole subjects, seeded and therefore the same every time; with few subjects they are
narrower than they should be. From one subject nothing is known about the spread: std and interval
are None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

RESAMPLES = 10_000


class Summary(NamedTuple):
    """`n` subjects, their mean and std (ddof 1), and a 95 % interval; None is unknown."""

    n: int
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None


def subject_means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean value of each subject from (subject, value) pairs, subjects in sorted order."""
    values: dict[str, list[float]] = {}
    for subject, value in pairs:
        values.setdefault(subject, []).append(value)
    return {subject: _mean(got) for subject, got in sorted(values.items())}


def summarize(values: Sequence[float]) -> Summary:
    """Mean, std (ddof 1) and Student's t interval of one value a subject."""
    n = len(values)
    if n == 0:
        return Summary(0)
    mean = _mean(values)
    if n == 1:
        return Summary(1, mean)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * std / math.sqrt(n)
    return Summary(n, mean, std, mean - half, mean + half)


def paired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Summary:
    """`first - second` over the subjects that both have, with Student's t interval."""
    return summarize([first[subject] - second[subject] for subject in _common(first, second)])


def recovered_share(
    clean: Mapping[str, float],
    protected: Mapping[str, float],
    purified: Mapping[str, float],
    higher_is_better: bool = True,
    seed: int = 0,
) -> Summary:
    """`(purified - protected) / (clean - protected)`, of means over the common subjects.

    1 is all of what the protection took, 0 none of it; neither end bounds the value. It is None
    where the protection took nothing. Resamples in which it took nothing count as unbounded on both
    sides: more than 2.5 % of them and there is no interval.
    """
    subjects = _common(clean, protected, purified)
    sign = 1.0 if higher_is_better else -1.0
    gain = sign * np.array([purified[s] - protected[s] for s in subjects])
    loss = sign * np.array([clean[s] - protected[s] for s in subjects])
    n = len(subjects)
    # Sums of equal scores differ from 0 by rounding: 1e-12 is nothing in any unit used here.
    if n == 0 or loss.mean() <= 1e-12:
        return Summary(n)
    share = float(gain.mean() / loss.mean())
    if n == 1:
        return Summary(n, share)
    weights = _resample(n, seed)
    return Summary(n, share, None, *_bounds(weights @ gain, weights @ loss))


def auc(negatives: Sequence[float], positives: Sequence[float]) -> float:
    """The chance that a positive lies above a negative, ties counting half (Mann-Whitney)."""
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
    """`auc` pooled over the values of the common subjects, with a bootstrap over subjects."""
    subjects = _common(negatives, positives)
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
    weights = _resample(n, seed=0)
    wins = _wins([negatives[s] for s in subjects], [positives[s] for s in subjects])
    hits = ((weights @ wins) * weights).sum(axis=1)
    return Summary(n, pooled, None, *_bounds(hits, (weights @ below) * (weights @ above)))


def _mean(values: Sequence[float]) -> float:
    """The mean, from the first value on, so that equal values have exactly that mean."""
    first = values[0]
    return first + math.fsum(value - first for value in values) / len(values)


def _common(*values: Mapping[str, object]) -> list[str]:
    """Subjects that all have, sorted, so that no result depends on their order."""
    return sorted(set.intersection(*(set(value) for value in values)))


def _wins(
    negatives: Sequence[Sequence[float]], positives: Sequence[Sequence[float]]
) -> NDArray[np.float64]:
    """How many pairs of a negative of the row's subject and a positive of the column's have the
    positive above, ties counting half: multiples of 0.5, so that no sum of them rounds."""
    pooled = np.concatenate([np.asarray(values, float) for values in positives])
    owner = np.repeat(np.arange(len(positives)), [len(values) for values in positives])
    rows = []
    for values in negatives:
        below = np.sort(np.asarray(values, float))
        beaten = sum(np.searchsorted(below, pooled, side) for side in ("left", "right"))
        rows.append(np.bincount(owner, beaten, len(positives)) / 2)
    return np.array(rows)


# Boards ask for the same few sizes over and over, and drawing takes longer than all the rest.
@lru_cache(maxsize=4)
def _resample(n: int, seed: int) -> NDArray[np.float64]:
    """How often each of n subjects occurs in each resample: (RESAMPLES, n), read-only."""
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    weights = draws.astype(np.float64)
    weights.flags.writeable = False
    return weights


def _bounds(
    top: NDArray[np.float64], bottom: NDArray[np.float64]
) -> tuple[float, float] | tuple[None, None]:
    """The 2.5 % and 97.5 % quantiles of top / bottom, None where either has no end."""
    bounded = bottom > 1e-12
    ratios = np.divide(top, bottom, out=np.zeros_like(top), where=bounded)
    low = float(np.quantile(np.where(bounded, ratios, -np.inf), 0.025, method="lower"))
    high = float(np.quantile(np.where(bounded, ratios, np.inf), 0.975, method="higher"))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
