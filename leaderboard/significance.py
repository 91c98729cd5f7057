"""Tests of paired differences: sign flips over subjects, adjusted for how many are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Sign patterns that are drawn where there are too many to try all.
PATTERNS = 10_000


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
        drawn = np.random.default_rng(0).integers(0, 2, (PATTERNS, n))
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
