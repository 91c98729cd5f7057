"""Means, intervals and comparisons over subjects.

A subject, such as one artist, is the unit: its value is the mean over its seeds or images, and
standard deviations and intervals are those of subject values. Intervals of means and of paired
differences are Student's t, `mean ± t(0.975, n - 1) · s / √n`; they assume roughly normal subject
values. Near the ends of a bounded scale that is untrue and they cover too seldom, so that those of
shares are taken on the logit scale (`summarize_shares`). Ratios of two means have Fieller's
interval (`recovered_share`). Areas under a curve have percentile bootstraps (Efron 1979) that
resample whole subjects, with a fixed seed; with few subjects they are too narrow. With one subject,
std and interval are None, never 0. How often intervals hold the truth is simulated by
`tools/simulate_coverage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtrinc, stdtrit

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Summary:
    """`n` subjects, their mean and std (ddof 1), and their 95 % interval from `low` to `high`; None
    is unknown.

    Numbers are rounded here, by `ten_digits`, and nowhere else: what is recorded, what is printed
    and what is compared with 0 are then one number.
    """

    n: int
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "std", "low", "high"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, ten_digits(value))


def ten_digits(value: float) -> float:
    """A number to ten significant digits. Further ones depend on the order in which a machine sums:
    half-way cases, such as 18.75, would be printed now as 18.7 and now as 18.8."""
    return float(f"{value:.10g}")


def subject_means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean value of each subject from (subject, value) pairs, subjects in sorted order."""
    values: dict[str, list[float]] = {}
    for subject, value in pairs:
        values.setdefault(subject, []).append(value)
    return {subject: _mean(got) for subject, got in sorted(values.items())}


def summarize(values: Sequence[float]) -> Summary:
    """Mean, std (ddof 1) and Student's t interval of `values`, one per subject."""
    n = len(values)
    if n == 0:
        return Summary(0)
    mean = _mean(values)
    if n == 1:
        return Summary(1, mean)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * std / math.sqrt(n)
    return Summary(n, mean, std, mean - half, mean + half)


def summarize_shares(values: Sequence[float], images: int) -> Summary:
    """Mean and std of shares, one per subject, with a 95 % interval within [0, 1].

    Parameters:
        values: Shares in [0, 1].
        images: How many images each is a share of, at least 1.

    Student's t around the logit of the mean, with its standard error by the delta method. The mean
    is first drawn to one half by two images (Agresti and Coull 1998), and its variance is at least
    what as many independent images would have: subjects that agree by chance are no certainty.
    Simulated with eight subjects whose shares are beta-distributed, it covers at least 93 % where
    Student's t itself falls to 87 %; `tests/leaderboard/test_coverage.py` has the cases. Few
    subjects of which most are near 0 and some near 1 it covers less, as `coverage.json` says. So do
    Wilson's and Clopper and Pearson's with an effective number of images (Korn and Graubard 1998);
    pseudo-subjects at both ends would cover them, by intervals far wider where subjects agree.
    """
    plain = summarize(values)
    if plain.mean is None or plain.std is None:
        return plain
    total = plain.n * images
    center = (plain.mean * total + 1) / (total + 2)
    binomial = center * (1 - center)
    error = math.sqrt(max(plain.std**2 / plain.n, binomial / total)) / binomial
    half = float(stdtrit(plain.n - 1, 0.975)) * error
    logit = math.log(center / (1 - center))
    low, high = (1 / (1 + math.exp(-end)) for end in (logit - half, logit + half))
    return replace(plain, low=min(low, plain.mean), high=max(high, plain.mean))


def paired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Summary:
    """`first - second` over the subjects that both have, with Student's t interval."""
    return summarize([first[subject] - second[subject] for subject in _common(first, second)])


def detectable(subjects: int, power: float = 0.8) -> float | None:
    """How large a mean paired difference has to be, in standard deviations of the differences, for
    its 95 % interval to exclude 0 in a share `power` of runs. None below 2 subjects.

    The power of a two-sided paired t-test (Cohen 1988, chapter 2), the wrong side left out.
    """
    if subjects < 2:
        return None
    bound = stdtrit(subjects - 1, 0.975)
    return float(nctdtrinc(subjects - 1, 1 - power, bound)) / math.sqrt(subjects)


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of the mean paired difference, by flipping signs (Fisher 1935).

    If neither side of a pair were better, each difference could as well have the other sign. p is
    the share of sign patterns whose mean is at least as far from 0: of all patterns up to 13
    differences, of 10,000 drawn ones and the observed one beyond. It assumes no distribution. The
    least possible p of n differences is 2 / 2^n; None for no difference.
    """
    n = len(differences)
    if n == 0:
        return None
    values = np.asarray(differences, float)
    if n <= 13:
        signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    else:
        drawn = np.random.default_rng(0).integers(0, 2, (RESAMPLES, n))
        signs = np.concatenate([np.ones((1, n), int), 1 - 2 * drawn])
    means = np.abs(signs @ values) / n
    # Sums of one pattern and of its mirror image differ by rounding.
    return float((means >= abs(values.mean()) - 1e-12).mean())


def holm(probabilities: Sequence[float]) -> list[float]:
    """p of several tests so adjusted that the chance of any false one stays what it is said to be
    (Holm 1979), in the given order."""
    order = sorted(range(len(probabilities)), key=lambda place: probabilities[place])
    adjusted, largest = [0.0] * len(order), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, (len(order) - rank) * probabilities[place])
        adjusted[place] = min(1.0, largest)
    return adjusted


def least_p(differences: int, tests: int) -> float:
    """The least p that `tests` sign-flip tests of so many differences can have after `holm`: all
    differences of one sign, times Holm's largest factor."""
    return min(1.0, tests * 2.0 ** (1 - differences))


def recovered_share(
    clean: Mapping[str, float],
    protected: Mapping[str, float],
    purified: Mapping[str, float],
    higher_is_better: bool = True,
) -> Summary:
    """`(purified - protected) / (clean - protected)`, of means over the common subjects.

    Parameters:
        clean, protected, purified: Scores by subject.
        higher_is_better: The direction of a successful exploit.

    Returns 1 if all is recovered that the protection took, 0 if nothing is; values may lie outside.
    The mean is None if the protection took nothing. The interval is Fieller's (1954) for a ratio of
    two paired means: the ratios r for which Student's t, with n - 1 degrees, does not reject that
    the mean of gain - r * loss is 0. There is none where the interval of the loss itself holds 0,
    since almost any ratio is possible then.
    """
    subjects = _common(clean, protected, purified)
    sign = 1.0 if higher_is_better else -1.0
    gain = sign * np.array([purified[s] - protected[s] for s in subjects])
    loss = sign * np.array([clean[s] - protected[s] for s in subjects])
    n = len(subjects)
    # Sums of equal scores differ from 0 by rounding; 1e-12 is negligible in every unit used here.
    if n == 0 or loss.mean() <= 1e-12:
        return Summary(n)
    a, b = float(gain.mean()), float(loss.mean())
    if n == 1:
        return Summary(n, a / b)
    # The ratios r with (a - b r)^2 <= t^2 var(gain - r loss) / n lie between the roots of a square.
    spread = float(stdtrit(n - 1, 0.975)) ** 2 * np.cov(gain, loss) / n
    square = b * b - float(spread[1, 1])
    if square <= 0:
        return Summary(n, a / b)
    half, constant = a * b - float(spread[0, 1]), a * a - float(spread[0, 0])
    root = math.sqrt(max(half * half - square * constant, 0.0))  # below 0 by rounding alone
    return Summary(n, a / b, None, (half - root) / square, (half + root) / square)


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
    weights = _resample(n)
    wins = _wins([negatives[s] for s in subjects], [positives[s] for s in subjects])
    hits = ((weights @ wins) * weights).sum(axis=1)
    return Summary(n, pooled, None, *_bounds(hits, (weights @ below) * (weights @ above)))


def _mean(values: Sequence[float]) -> float:
    """The mean, summed as differences from the first value, which is exact for equal values."""
    first = values[0]
    return first + math.fsum(value - first for value in values) / len(values)


def _common(*values: Mapping[str, object]) -> list[str]:
    """The subjects that all of `values` have, sorted, so that no result depends on their order."""
    return sorted(set.intersection(*(set(value) for value in values)))


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
