"""Between which rows the means of measures lie, in words."""

import pytest

from impress_bench.leaderboard.findings.ranges import ranges_verdict
from impress_bench.leaderboard.statistics import Summary


def of(subjects=6, **means):
    return {title: Summary(subjects, mean) for title, mean in means.items()}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (of(a=0.5, b=0.25, c=1.0), "note lies between 0.25 (b) and 1.00 (c)."),
        (of(a=0.0, b=0.0, c=1.0, d=0.0), "note lies between 0.00 (a and 2 more) and 1.00 (c)."),
        (of(a=-0.677), "note is -0.677 (a)."),
        (of(a=0.0, b=0.0), "note is 0.00 in every row."),
        (of(a=0.5, b=None), "note is 0.500 (a)."),
        (of(a=1.0, subjects=5), "note is 1.00 (a). 5 subjects, too few to conclude."),
        (of(a=None), ""),
        ({}, ""),
    ],
)
def test_the_ends_are_named(rows, said):
    assert ranges_verdict({"note": rows}) == said


def test_the_measures_that_spread_widest_come_first_and_the_others_are_counted():
    """As shares of their largest means, so that units do not count."""
    found = {"flat": of(a=1.0, b=1.0), "wide": of(a=0.001, b=0.002), "less": of(a=70.0, b=100.0),
             "least": of(a=0.9, b=1.0), "none": of(a=None)}  # fmt: skip
    assert ranges_verdict(found) == (
        "wide lies between 0.00100 (a) and 0.00200 (b). less lies between 70 (a) and 100 (b). least"
        " lies between 0.90 (a) and 1.00 (b). 1 more spreads no wider."
    )


def test_shares_are_in_per_cent():
    told = ranges_verdict({"Clean": of(here=0.5, there=0.5)}, percent=True, where="column")
    assert told == "Clean is 50.0 in every column."
