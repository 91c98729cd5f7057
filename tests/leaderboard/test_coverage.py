"""How often 95 % intervals hold the truth, by simulation of runs of eight subjects.

Subjects' true shares are beta-distributed around the true mean, their images are binomial.
"""

import numpy as np
import pytest

from impress_bench.leaderboard.statistics import Summary, summarize, summarize_shares

SUBJECTS, RUNS = 8, 6000


def shares(mean, spread, images):
    """Simulated shares (RUNS, SUBJECTS)."""
    draw = np.random.default_rng(0)
    truth = np.full((RUNS, SUBJECTS), mean)
    if spread:
        size = mean * (1 - mean) / spread**2 - 1
        truth = draw.beta(mean * size, (1 - mean) * size, truth.shape)
    return draw.binomial(images, truth) / images


def coverage(interval, mean, spread, images):
    found = [interval(list(run)) for run in shares(mean, spread, images)]
    return np.mean([one.low <= mean <= one.high for one in found])


@pytest.mark.parametrize(
    ("mean", "spread", "images"),
    [
        (0.75, 0.0, 50), (0.75, 0.148, 50), (0.75, 0.18, 50), (0.75, 0.25, 50), (0.75, 0.18, 16),
        (0.95, 0.06, 50), (0.805, 0.268, 16),
    ],
)  # fmt: skip
def test_intervals_of_shares_cover(mean, spread, images):
    assert coverage(lambda run: summarize_shares(run, images), mean, spread, images) >= 0.93


def test_students_interval_does_not_cover_near_the_end_of_the_scale():
    assert coverage(summarize, 0.95, 0.06, 50) < 0.9


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_subjects_that_agree_are_no_certainty(value):
    found = summarize_shares([value] * 4, images=10)
    assert (found.mean, found.std) == (value, 0.0)
    assert 0 <= found.low < found.high <= 1
    assert found.low <= value <= found.high
    assert found.high - found.low > 0.05


def test_an_interval_by_hand():
    # 2 subjects of 49 images: center (.5 * 98 + 1) / 100 = .5, s = .141421, s / sqrt(2) = .1,
    # standard error of the logit .1 / .25 = .4, t(.975, 1) = 12.7062: the logit is 0 +- 5.08248.
    found = summarize_shares([0.4, 0.6], images=49)
    assert found.low == pytest.approx(0.00616, abs=1e-5)
    assert found.high == pytest.approx(1 - 0.00616, abs=1e-5)


def test_one_subject_has_no_interval():
    assert summarize_shares([0.5], images=9) == Summary(1, 0.5)
    assert summarize_shares([], images=9) == Summary(0)
