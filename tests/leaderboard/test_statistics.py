"""Statistics against closed forms, scipy and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from impress_bench.leaderboard.separation import auc, separation
from impress_bench.leaderboard.statistics import (
    Summary,
    detectable,
    paired_difference,
    recovered_share,
    subject_means,
    summarize,
)


def test_subject_means_average_seeds_first() -> None:
    pairs = [("b", 1.0), ("a", 0.2), ("a", 0.4)]
    assert list(subject_means(pairs).items()) == [("a", pytest.approx(0.3)), ("b", 1.0)]


def test_summary_by_hand() -> None:
    # t(0.975, 2) = 4.302653; s = 0.1
    found = summarize([0.3, 0.4, 0.5])
    assert found.n == 3
    assert found.mean == pytest.approx(0.4)
    assert found.std == pytest.approx(0.1)
    assert found.high == pytest.approx(0.4 + 4.302653 * 0.1 / math.sqrt(3), abs=1e-7)
    assert found.low == pytest.approx(0.4 - 4.302653 * 0.1 / math.sqrt(3), abs=1e-7)


def test_summary_against_scipy() -> None:
    values = np.random.default_rng(3).normal(size=11).tolist()
    found = summarize(values)
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert found.std == pytest.approx(np.std(values, ddof=1))


@pytest.mark.parametrize("values", [[0.4], [-3.0]])
def test_one_subject_has_no_spread(values: list[float]) -> None:
    assert summarize(values) == Summary(1, values[0], None, None, None)


def test_no_subject_has_nothing() -> None:
    assert summarize([]) == Summary(0, None, None, None, None)


def test_equal_values_have_exactly_no_spread() -> None:
    assert summarize([0.1] * 7) == Summary(7, 0.1, 0.0, 0.1, 0.1)


def test_paired_difference_against_scipy() -> None:
    first = {"a": 0.9, "b": 0.7, "c": 0.8, "only-here": 0.0}
    second = {"c": 0.5, "b": 0.6, "a": 0.4, "only-there": 1.0}
    found = paired_difference(first, second)
    reference = stats.ttest_rel([0.9, 0.7, 0.8], [0.4, 0.6, 0.5]).confidence_interval(0.95)
    assert found.n == 3
    assert found.mean == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))


def test_paired_difference_without_common_subjects() -> None:
    assert paired_difference({"a": 1.0}, {"b": 1.0}) == Summary(0)


def test_recovered_share_is_a_ratio_of_means() -> None:
    clean = {"a": 0.9, "b": 0.7}
    protected = {"a": 0.5, "b": 0.3}
    purified = {"a": 0.7, "b": 0.7}
    found = recovered_share(clean, protected, purified)
    assert found.mean == pytest.approx(0.75)
    # The loss is .4 for both, so that the interval is that of the gain, .3 +- 12.7062 * .1, in it.
    assert (found.low, found.high) == pytest.approx((0.75 - 3.17655, 0.75 + 3.17655), abs=1e-4)
    assert found.std is None


@pytest.mark.parametrize("n", [4, 6, 8, 24])
def test_recovered_share_is_what_the_paired_t_test_does_not_reject(n: int) -> None:
    """Scipy's test of gain = ratio * loss, inverted by bisection on each side of the mean."""
    rng = np.random.default_rng(n)
    clean, protected, purified = rng.normal([0.9, 0.2, 0.7], 0.1, (n, 3)).T

    def p(ratio: float) -> float:
        return float(stats.ttest_rel(purified - protected, ratio * (clean - protected)).pvalue)

    sides = (clean, protected, purified)
    found = recovered_share(*({str(i): float(v) for i, v in enumerate(one)} for one in sides))
    assert found.mean is not None
    ends = [
        optimize.brentq(lambda ratio: p(ratio) - 0.05, found.mean, found.mean + side)
        for side in (-3, 3)
    ]
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-6)


def test_recovered_share_is_the_same_every_time_and_in_any_order() -> None:
    clean, protected = {"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 0.3, "b": 0.5, "c": 0.2}
    purified = {"a": 0.6, "b": 0.6, "c": 0.7}
    backwards = dict(reversed(purified.items()))
    first = recovered_share(clean, protected, purified)
    assert first == recovered_share(clean, protected, backwards)


def test_recovered_share_where_less_is_better() -> None:
    share = recovered_share({"a": 10.0}, {"a": 50.0}, {"a": 20.0}, higher_is_better=False)
    assert share == Summary(1, 0.75)


@pytest.mark.parametrize("protected", [0.8, 0.9])
def test_nothing_lost_is_nothing_to_recover(protected: float) -> None:
    sides = ({"a": 0.8, "b": 0.8}, dict.fromkeys("ab", protected), {"a": 0.7, "b": 0.7})
    assert recovered_share(*sides) == Summary(2)


@pytest.mark.parametrize(("least", "bounded"), [(0.25, True), (0.18, False)])
def test_a_loss_that_may_be_nothing_has_no_interval(least: float, bounded: bool) -> None:
    losses = {"a": least, "b": 0.5, "c": 0.55, "d": 0.6 * least}
    nothing = dict.fromkeys(losses, 0.0)
    low, _ = stats.ttest_1samp(list(losses.values()), 0).confidence_interval()
    assert (low > 0) == bounded
    found = recovered_share(losses, nothing, {name: 0.5 * loss for name, loss in losses.items()})
    assert found.mean == pytest.approx(0.5)
    assert (found.low is not None) == (found.high is not None) == bounded


@pytest.mark.parametrize(
    ("negatives", "positives", "expected"),
    [
        ([1, 2], [3, 4], 1.0),
        ([3, 4], [1, 2], 0.0),
        ([1, 1], [1, 1], 0.5),
        ([1, 3], [2, 3], 0.625),
    ],
)
def test_auc_closed_forms(negatives: list[float], positives: list[float], expected: float) -> None:
    assert auc(negatives, positives) == expected


def test_auc_against_scipy_and_pairs() -> None:
    rng = np.random.default_rng(5)
    low, high = rng.integers(0, 9, 17).tolist(), rng.integers(2, 12, 13).tolist()
    pairs = [(b > a) + 0.5 * (b == a) for a in low for b in high]
    assert auc(low, high) == pytest.approx(np.mean(pairs))
    assert auc(low, high) == pytest.approx(stats.mannwhitneyu(high, low).statistic / (17 * 13))


def test_auc_needs_both_sides() -> None:
    with pytest.raises(ValueError, match="both sides"):
        auc([], [1.0])


def test_separation_pools_images_and_resamples_subjects() -> None:
    clean = {"a": [1.0, 2.0], "b": [5.0]}
    other = {"a": [3.0], "b": [6.0, 4.0], "c": [0.0]}
    found = separation(clean, other)
    assert found.n == 2
    assert found.mean == pytest.approx(auc([1, 2, 5], [3, 6, 4]))
    # Subject b alone: 6 > 5 > 4. Subject a alone separates perfectly.
    assert (found.low, found.high) == pytest.approx((0.5, 1.0))


def test_separation_against_resamples_pooled_one_by_one() -> None:
    """With ties, within and between subjects, and subjects of different sizes."""
    clean = {"a": [1.0, 2.0, 2.0], "b": [2.0, 3.0], "c": [0.0, 5.0, 1.0]}
    other = {"a": [2.0, 4.0], "b": [3.0, 3.0, 1.0], "c": [5.0, 1.0]}
    draws = np.random.default_rng(0).multinomial(3, np.full(3, 1 / 3), 10_000)
    areas = []
    for draw in draws[:500]:
        taken = [name for name, count in zip(clean, draw, strict=True) for _ in range(count)]
        pools = [[value for name in taken for value in side[name]] for side in (clean, other)]
        areas.append(auc(*pools))
    weights, sizes = draws.astype(float), np.array([[3, 2], [2, 3], [3, 2]], float)
    wins = np.array([[auc(clean[s], other[t]) for t in other] for s in clean])
    wins *= np.outer(sizes[:, 0], sizes[:, 1])
    whole = np.einsum("rs,st,rt->r", weights, wins, weights)
    whole /= (weights @ sizes[:, 0]) * (weights @ sizes[:, 1])
    assert whole[:500] == pytest.approx(areas)
    found = separation(clean, other)
    assert found.low == pytest.approx(np.quantile(whole, 0.025, method="lower"))
    assert found.high == pytest.approx(np.quantile(whole, 0.975, method="higher"))


def test_separation_of_one_subject_has_no_interval() -> None:
    assert separation({"a": [1.0]}, {"a": [2.0]}) == Summary(1, 1.0)
    assert separation({"a": [1.0]}, {"b": [2.0]}) == Summary(0)


@pytest.mark.parametrize("n", [3, 6, 24])
def test_the_detectable_effect_is_found_in_four_of_five_simulated_runs(n: int) -> None:
    effect = detectable(n)
    assert effect is not None
    runs = np.random.default_rng(n).normal(effect, 1.0, (20_000, n))
    found = stats.ttest_1samp(runs, 0, axis=1)
    assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) == pytest.approx(0.8, abs=0.015)
    assert detectable(1) is None
