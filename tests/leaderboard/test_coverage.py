"""How often 95 % intervals hold the truth, by simulation, and what boards say of it.

Subjects' true shares are beta-distributed around the true mean, their images are binomial.
"""

import json
import runpy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from impress_bench.leaderboard.coverage import coverage_text
from impress_bench.leaderboard.statistics import (
    Summary,
    recovered_share,
    summarize,
    summarize_shares,
)

ROOT = Path(__file__).parents[2]
RESULT, PAGE = ROOT / "leaderboard" / "coverage.json", ROOT / "docs" / "reference" / "boards.md"
TOOL = runpy.run_path(str(ROOT / "tools" / "simulate_coverage.py"))
SUBJECTS, RUNS = 8, 6000
#: What is promised with eight subjects.
PROMISED = [
    (0.75, 0.0, 50), (0.75, 0.148, 50), (0.75, 0.18, 50), (0.75, 0.25, 50), (0.75, 0.18, 16),
    (0.95, 0.06, 50), (0.805, 0.268, 16),
]  # fmt: skip


def shares(mean, spread, images, subjects=SUBJECTS, seed=0):
    """Simulated shares (RUNS, subjects)."""
    draw = np.random.default_rng(seed)
    truth = np.full((RUNS, subjects), mean)
    if spread:
        size = mean * (1 - mean) / spread**2 - 1
        truth = draw.beta(mean * size, (1 - mean) * size, truth.shape)
    return draw.binomial(images, truth) / images


def held(found, truth):
    return np.mean([one.low <= truth <= one.high for one in found])


def coverage(interval, mean, spread, images, subjects=SUBJECTS):
    runs = shares(mean, spread, images, subjects)
    return held([interval(list(run)) for run in runs], mean)


def of_differences(first, second, subjects=SUBJECTS):
    runs = shares(*first, subjects, seed=1) - shares(*second, subjects, seed=2)
    return held([summarize(list(run)) for run in runs], first[0] - second[0])


def recovering(subjects=SUBJECTS):
    """Clean, protected and purified scores of half of what was taken: normal, in artists that
    differ."""
    draw = np.random.default_rng(3)
    found = []
    for _ in range(RUNS // 2):
        artist = draw.normal(0, 0.1, subjects)
        sides = [artist + draw.normal(mean, 0.1, subjects) for mean in (0.8, 0.4, 0.6)]
        found.append(recovered_share(*(dict(zip(map(str, range(subjects)), one, strict=True))
                                       for one in sides)))  # fmt: skip
    return held([one for one in found if one.low is not None], 0.5)


@pytest.mark.parametrize("case", PROMISED)
def test_intervals_of_shares_cover(case):
    assert coverage(lambda run: summarize_shares(run, case[2]), *case) >= 0.93


@pytest.mark.parametrize(("first", "second"), list(pairwise(PROMISED[:6])))
def test_intervals_of_differences_cover(first, second):
    assert of_differences(first, second) >= 0.93


def test_intervals_of_recovered_shares_cover():
    assert recovering() >= 0.93


def stored(kind, case):
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    (row,) = [one for one in found if one["interval"] == kind and one["case"].startswith(case)]
    return {int(subjects): share for subjects, share in row["covered"].items()}


@pytest.mark.parametrize(("subjects", "most"), [(6, 0.80), (8, 0.86), (24, 1.0)])
def test_what_is_said_of_shares_that_differ_much_is_so(subjects, most):
    """By the simulation above, whose draws are others."""
    found = coverage(lambda run: summarize_shares(run, 24), 0.17, 0.34, 24, subjects)
    assert stored("share", "17 ± 34 % of 24")[subjects] == pytest.approx(found, abs=0.02)
    assert found < most


def test_what_is_said_of_differences_is_so():
    found = of_differences((0.93, 0.073, 24), (0.17, 0.34, 24), 6)
    assert stored("difference", "93 ± 7.3 %")[6] == pytest.approx(found, abs=0.02)
    assert stored("difference", "normal")[6] == pytest.approx(0.95, abs=0.01)
    assert stored("recovered", "0.5 ± 0.25 of")[6] == pytest.approx(recovering(6), abs=0.02)


def test_the_stored_figures_are_the_recipes():
    case = next(one for one in TOOL["SHARES"] if str(one).startswith("95 ± 6 %"))
    assert stored("share", "95 ± 6 %")[6] == pytest.approx(TOOL["of_shares"](case, 6), abs=0.005)


def test_the_table_in_the_documentation_is_the_stored_one():
    page, result = (path.read_text(encoding="utf-8") for path in (PAGE, RESULT))
    assert TOOL["filled"](page, result) == page, "run `python tools/simulate_coverage.py`"
    assert TOOL["filled"](page.replace("| 95 ± 6", "| 96 ± 6"), result) == page


def test_boards_say_between_which_shares_the_simulated_coverage_lies():
    found = json.loads(RESULT.read_text(encoding="utf-8"))

    def ends(kind, subjects):
        every = [one["covered"][subjects] for one in found if one["interval"] == kind]
        return f"{100 * min(every):.0f} to {100 * max(every):.0f} times in 100"

    assert coverage_text([6], "difference", "recovered") == (
        f"In simulated runs, such intervals hold the true difference {ends('difference', '6')} with"
        f" 6 subjects and the true recovered share {ends('recovered', '6')} with 6 subjects,"
        " least often for shares of images of few subjects that differ much."
    )
    # What lies between is told as of the next smaller number.
    assert coverage_text([23, 100, 12], "difference") == (
        f"In simulated runs, such intervals hold the true difference {ends('difference', '12')}"
        f" with 12 subjects and {ends('difference', '24')} with 24 subjects, least often for shares"
        " of images of few subjects that differ much."
    )
    assert coverage_text([5, 2], "difference") == ""


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
