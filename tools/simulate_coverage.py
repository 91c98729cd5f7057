"""How often 95 % intervals hold the truth: `python tools/simulate_coverage.py`, under a minute.

Runs are simulated whose truth is known, and the boards' own functions make an interval of each.
Subjects' true shares are drawn from a beta distribution of the case's mean and standard deviation,
and their images are binomial; the two sides of a difference are drawn apart. Losses and gains
behind recovered shares are normal; runs without an interval do not count. Some cases are as the
preset `mini` was published. What comes out is written to leaderboard/coverage.json, which boards
read, and as a table into docs/reference/boards.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from impress_bench.leaderboard.statistics import (
    Summary,
    paired_difference,
    recovered_share,
    summarize_shares,
)

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "leaderboard" / "coverage.json"
PAGE = ROOT / "docs" / "reference" / "boards.md"
TABLE = re.compile(r"(<!--= simulated coverage -->\n)(.*?)(<!--/-->)", re.DOTALL)
SUBJECTS, RUNS = (6, 8, 12, 24), 10_000

Values = NDArray[np.float64]


class Shares(NamedTuple):
    """Shares of `images` images around a mean, with a standard deviation of the subjects' own."""

    mean: float
    spread: float
    images: int
    note: str = ""

    def __str__(self) -> str:
        spread = f" ± {100 * self.spread:g}" if self.spread else ""
        return f"{100 * self.mean:g}{spread} % of {self.images} images{self.note}"

    def drawn(self, draw: np.random.Generator, subjects: int) -> Values:
        """Observed shares (RUNS, subjects)."""
        truth = np.full((RUNS, subjects), self.mean)
        if self.spread:
            size = self.mean * (1 - self.mean) / self.spread**2 - 1
            truth = draw.beta(self.mean * size, (1 - self.mean) * size, truth.shape)
        return draw.binomial(self.images, truth) / self.images


class Loss(NamedTuple):
    """What is lost and gained again, as means and standard deviations, and their correlation."""

    loss: tuple[float, float]
    gain: tuple[float, float]
    correlation: float
    note: str = ""

    def __str__(self) -> str:
        (lost, unlike), (gained, unlike_too) = self.loss, self.gain
        return f"{gained:g} ± {unlike_too:g} of a loss of {lost:g} ± {unlike:g}{self.note}"


GLAZE = Shares(0.17, 0.34, 24, ", as GLAZE in `mini`")
CLEAN = Shares(0.79, 0.315, 24, ", as clean in `mini`")
IMPRESS = Shares(0.93, 0.073, 24, ", as IMPRESS in `mini`")
SHARES = (
    Shares(0.75, 0, 50), Shares(0.75, 0.148, 50), Shares(0.75, 0.18, 50), Shares(0.75, 0.25, 50),
    Shares(0.75, 0.18, 16), Shares(0.95, 0.06, 50), Shares(0.805, 0.268, 16),
    IMPRESS, CLEAN, GLAZE,
)  # fmt: skip
DIFFERENCES = (
    (Shares(0.75, 0.148, 50), Shares(0.75, 0.25, 50)),
    (Shares(0.95, 0.06, 50), Shares(0.75, 0.18, 50)),
    (Shares(0.805, 0.268, 16), Shares(0.75, 0.18, 16)),
    (CLEAN, GLAZE),
    (IMPRESS, GLAZE),
)
RECOVERED = (
    Loss((1, 0.25), (0.5, 0.25), 0.5),
    Loss((0.82, 0.41), (0.95, 0.19), 0.82, ", as IMPRESS after GLAZE in `mini`"),
    Loss((1, 1), (0.5, 1), 0.5),
)


def of_shares(case: Shares, subjects: int) -> float:
    """How often the interval of shares holds their mean."""
    runs = case.drawn(np.random.default_rng(0), subjects)
    return _held([summarize_shares(run.tolist(), case.images) for run in runs], case.mean)


def of_differences(case: tuple[Shares, Shares], subjects: int) -> float:
    """How often Student's t interval holds the difference of two shares."""
    draw = np.random.default_rng(0)
    runs = case[0].drawn(draw, subjects) - case[1].drawn(draw, subjects)
    nothing = _named(np.zeros(subjects))
    found = [paired_difference(_named(run), nothing) for run in runs]
    return _held(found, case[0].mean - case[1].mean)


def of_normal_differences(subjects: int) -> float:
    """The same of normal differences, for which it is exact."""
    nothing = _named(np.zeros(subjects))
    runs = np.random.default_rng(0).normal(1.0, 1.0, (RUNS, subjects))
    return _held([paired_difference(_named(run), nothing) for run in runs], 1.0)


def of_recovered(case: Loss, subjects: int) -> float:
    """How often Fieller's interval holds the share that is recovered, of the runs that have one."""
    (lost, unlike), (gained, unlike_too), together = case.loss, case.gain, case.correlation
    covariance = together * unlike * unlike_too
    runs = np.random.default_rng(0).multivariate_normal(
        [lost, gained], [[unlike**2, covariance], [covariance, unlike_too**2]], (RUNS, subjects)
    )
    nothing = _named(np.zeros(subjects))
    found = [recovered_share(_named(run[:, 0]), nothing, _named(run[:, 1])) for run in runs]
    return _held(found, gained / lost)


def _named(values: Values) -> dict[str, float]:
    return {str(subject): value for subject, value in enumerate(values.tolist())}


def _held(found: list[Summary], truth: float) -> float:
    bounded = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    return float(np.mean([low <= truth <= high for low, high in bounded]))


def simulated() -> list[dict[str, object]]:
    """A row per case: the kind of interval, the case in words, what was covered by subjects."""
    cases: list[tuple[str, str, Callable[[int], float]]] = [
        *(("share", str(one), lambda n, one=one: of_shares(one, n)) for one in SHARES),
        ("difference", "normal, such as a score without ends", of_normal_differences),
        *(
            ("difference", f"{one[0]}, less {one[1]}", lambda n, one=one: of_differences(one, n))
            for one in DIFFERENCES
        ),
        *(("recovered", str(one), lambda n, one=one: of_recovered(one, n)) for one in RECOVERED),
    ]
    return [
        {"interval": kind, "case": case, "covered": {str(n): round(of(n), 3) for n in SUBJECTS}}
        for kind, case, of in cases
    ]


def filled(page: str, result: str) -> str:
    """The text of a page with the table of a result, the text of coverage.json, between marks."""
    kinds = {
        "share": "share, on the logit scale",
        "difference": "paired difference, Student's t",
        "recovered": "recovered share, Fieller",
    }
    lines = [
        f"| interval of a | simulated: mean ± SD of subjects | {' | '.join(map(str, SUBJECTS))} |",
        f"| --- | --- |{' ---: |' * len(SUBJECTS)}",
    ]
    for row in json.loads(result):
        held = " | ".join(f"{100 * row['covered'][str(n)]:.0f}" for n in SUBJECTS)
        lines.append(f"| {kinds[row['interval']]} | {row['case']} | {held} |")
    table = "\n".join(lines) + "\n"
    return TABLE.sub(lambda match: match[1] + table + match[3], page)


if __name__ == "__main__":
    found = json.dumps(simulated(), indent=1, ensure_ascii=False) + "\n"
    RESULT.write_text(found, encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
