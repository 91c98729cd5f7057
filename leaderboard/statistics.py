"""Means, intervals and comparisons over subjects.

A subject, such as one artist, is the unit: its value is the mean over its seeds or images, and
standard deviations and intervals are those of subject values. Intervals of means and of paired
differences are Student's t, `mean ± t(0.975, n - 1) · s / √n`; they assume roughly normal subject
values. Near the ends of a bounded scale that is untrue and they cover too seldom, so that those of
shares are taken on the logit scale (`summarize_shares`). Ratios of two means have Fieller's
interval (`recovered_share`). With one subject, std and interval are None, never 0. How often
intervals hold the truth is simulated by `tools/simulate_coverage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import nctdtrinc, stdtrit


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
    return summarize(
        [first[subject] - second[subject] for subject in common_subjects(first, second)]
    )


def detectable(subjects: int, power: float = 0.8) -> float | None:
    """How large a mean paired difference has to be, in standard deviations of the differences, for
    its 95 % interval to exclude 0 in a share `power` of runs. None below 2 subjects.

    The power of a two-sided paired t-test (Cohen 1988, chapter 2), the wrong side left out.
    """
    if subjects < 2:
        return None
    bound = stdtrit(subjects - 1, 0.975)
    return float(nctdtrinc(subjects - 1, 1 - power, bound)) / math.sqrt(subjects)


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
    subjects = common_subjects(clean, protected, purified)
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


def _mean(values: Sequence[float]) -> float:
    """The mean, summed as differences from the first value, which is exact for equal values."""
    first = values[0]
    return first + math.fsum(value - first for value in values) / len(values)


def common_subjects(*values: Mapping[str, object]) -> list[str]:
    """The subjects that all of `values` have, sorted, so that no result depends on their order."""
    return sorted(set.intersection(*(set(value) for value in values)))
