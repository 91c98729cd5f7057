"""Sign-flip tests and Holm's adjustment against scipy, closed forms and values by hand."""

import numpy as np
import pytest
from scipy import stats

from impress_bench.leaderboard.significance import holm, sign_flip_p


@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_all_patterns_as_scipy_counts_them(n):
    values = np.random.default_rng(n).normal(0.4, 1, n)
    reference = stats.permutation_test((values,), np.mean, permutation_type="samples")
    assert sign_flip_p(values.tolist()) == pytest.approx(reference.pvalue)


def test_the_least_p_is_that_of_the_number_of_subjects():
    assert sign_flip_p([0.1, 0.2, 0.3, 0.1, 0.5, 0.2, 0.4, 0.1]) == 2 / 2**8
    assert sign_flip_p([0.1]) == 1.0
    assert sign_flip_p([]) is None


def test_nothing_but_ties_shows_nothing():
    assert sign_flip_p([0.0] * 6) == 1.0


def test_drawn_patterns_are_near_the_normal_limit_and_repeatable():
    values = np.random.default_rng(1).normal(0.3, 1, 40)
    z = values.sum() / np.sqrt((values**2).sum())
    limit = 2 * stats.norm.sf(abs(z))
    assert sign_flip_p(values.tolist()) == pytest.approx(limit, abs=0.015)
    assert sign_flip_p(values.tolist()) == sign_flip_p(values.tolist())


def test_holm_by_hand():
    # Sorted .01, .02, .03 times 3, 2, 1, and never below an earlier one.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
