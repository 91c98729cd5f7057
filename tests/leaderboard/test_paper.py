"""Which row gets which of the paper's scores."""

from __future__ import annotations

import pytest

from impress_bench.leaderboard.paper import TABLE_3, TABLE_4, reported


@pytest.mark.parametrize(
    ("row", "scores"),
    [
        ("glaze+consistency[weight=40]", (40.8, 81.9)),
        ("glaze[p=0.05]+consistency[chain=ldm,weight=40]", (40.8, 81.9)),
        ("glaze+consistency[weight=41]", None),
        ("glaze+consistency", None),
        ("mist+consistency[weight=40]", None),
        ("glaze+o-pgd+consistency[weight=40]", None),
        ("glaze", None),
    ],
)
def test_a_row_is_found_by_its_spec(row: str, scores: tuple[float, float] | None) -> None:
    assert reported(TABLE_3["clip-top3"], row) == scores
    assert (reported(TABLE_4["clip-top3"], row) is None) == (scores is None)
