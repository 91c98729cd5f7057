"""Rank intervals against a naive count of separated pairs, by worked numbers and by simulation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from impress_bench.leaderboard.html.ranks import rank_intervals


def subjects(*values: float) -> dict[str, float]:
    return {f"s{place}": value for place, value in enumerate(values)}


def test_rows_that_every_subject_separates_have_one_rank_each() -> None:
    scores = {
        "weak": subjects(0.90, 0.81, 0.72),
        "strong": subjects(0.30, 0.20, 0.10),
        "middle": subjects(0.60, 0.51, 0.40),
        "unmeasured": {},
    }
    found = rank_intervals(scores, higher_is_better=True)
    assert {name: str(ranks) for name, ranks in found.items()} == {
        "strong": "1 of 3", "middle": "2 of 3", "weak": "3 of 3",
    }  # fmt: skip
    reverse = rank_intervals(scores, higher_is_better=False)
    assert {name: str(ranks) for name, ranks in reverse.items()} == {
        "strong": "3 of 3", "middle": "2 of 3", "weak": "1 of 3",
    }  # fmt: skip


def test_differences_count_and_not_means() -> None:
    """Subjects differ by far more than rows do: only pairing separates these."""
    base = np.array([0.1, 0.5, 0.9, 0.3, 0.7, 0.2])
    jitter = np.array([0.001, -0.001, 0.002, 0.0, -0.002, 0.001])
    scores = {"a": subjects(*base), "b": subjects(*(base + 0.02 + jitter))}
    assert {k: str(v) for k, v in rank_intervals(scores, True).items()} == {
        "a": "1 of 2", "b": "2 of 2",
    }  # fmt: skip
    unpaired = {"a": scores["a"], "b": {f"t{key}": value for key, value in scores["b"].items()}}
    assert {str(v) for v in rank_intervals(unpaired, True).values()} == {"1–2 of 2"}
    assert {str(v) for v in rank_intervals({"a": {"s": 0.1}, "b": {"s": 0.9}}, True).values()} == {
        "1–2 of 2"
    }


@pytest.mark.parametrize("higher", [True, False])
def test_they_are_counts_of_separated_pairs(higher: bool) -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(size=8) + generator.normal(size=(6, 8)) * 0.15
    values += np.arange(6)[:, None] * 0.3
    names = [f"row-{place}" for place in range(6)]
    best, worst = dict.fromkeys(names, 1), dict.fromkeys(names, 6)
    for one, other in permutations(range(6), 2):
        # Adjusted for the five comparisons of a row; SciPy's own test of pairs.
        p = stats.ttest_rel(values[one], values[other]).pvalue * 5
        if p < 0.05 and (values[one].mean() > values[other].mean()) == higher:
            best[names[one]] += 1
            worst[names[other]] -= 1
    scores = {name: subjects(*row) for name, row in zip(names, values, strict=True)}
    found = rank_intervals(scores, higher)
    assert {n: (f.best, f.worst) for n, f in found.items()} == {
        name: (best[name], worst[name]) for name in names
    }
    assert any(f.best == f.worst for f in found.values())
    assert any(f.best < f.worst for f in found.values())


def test_they_hold_the_true_rank_in_95_of_100_runs() -> None:
    generator = np.random.default_rng(11)
    truth = np.array([0.0, 0.1, 0.3, 0.6])
    hits, runs = np.zeros(4), 100
    for _ in range(runs):
        values = truth[:, None] + generator.normal(size=8) + generator.normal(size=(4, 8)) * 0.2
        scores = {str(place): subjects(*row) for place, row in enumerate(values)}
        found = rank_intervals(scores, True)
        hits += [found[str(p)].best <= p + 1 <= found[str(p)].worst for p in range(4)]
    # 0.95 less three standard errors of 100 runs.
    assert (hits / runs).min() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
