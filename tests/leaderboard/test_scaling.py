"""Metrics between two controls, against values worked out by hand."""

import math
from dataclasses import replace

import pytest

from impress_bench.benchmark.metric import MetricInfo, Scale
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.schema import CELLS

TASK = "style-mimicry"
SCORE = MetricInfo(
    "score", "Score", True, scale=Scale("clip-top3", "zero", "one", higher_is_better=False)
)


def cells_of(conditions):
    """Cells of clip-top3: per subject a value, a list of one per seed, or (state, reason)."""
    rows = []
    for (protection, purifier), subjects in conditions.items():
        for index, values in enumerate(subjects):
            for seed, got in enumerate(values if isinstance(values, list) else [values]):
                state, reason = got if isinstance(got, tuple) else ("done", None)
                value = math.nan if isinstance(got, tuple) else got
                place = (TASK, f"artist-{index}", protection, purifier, seed, "clip-top3")
                rows.append((*place, value, state, reason))
    return CELLS.frame(rows)


def scaled(conditions, score=SCORE):
    """Value, or state and reason, of each row of the scaled metric."""
    frame = with_scaled(cells_of(conditions), Layout(BoardMeta(metrics={TASK: [score]})))
    return {
        (row.subject, row.protection, row.purifier, row.seed): (
            row.value if row.state == "done" else (row.state, row.reason)
        )
        for row in frame[frame["metric"] == "score"].itertuples()
    }


def test_each_subject_and_seed_has_its_own_zero_and_all_have_one_unit():
    found = scaled(
        {
            ("control:zero", ""): [10.0, [20.0, 30.0]],
            ("control:one", ""): [0.0, [4.0, 10.0]],
            ("glaze", "none"): [12.0, [12.0, 10.0]],
            ("glaze", "impress"): [-1.0, [4.0, 25.0]],
        }
    )
    unit = (10 + (16 + 20) / 2) / 2
    assert found["artist-0", "control:zero", "", 0] == 0
    assert found["artist-1", "control:zero", "", 1] == 0
    ones = [found["artist-0", "control:one", "", 0]]
    ones.append(
        (found["artist-1", "control:one", "", 0] + found["artist-1", "control:one", "", 1]) / 2
    )
    assert sum(ones) / 2 == pytest.approx(1)
    # Further away than a model that learned nothing of the artist, and nearer than his own works.
    assert found["artist-0", "glaze", "none", 0] == pytest.approx(-2 / unit)
    assert found["artist-0", "glaze", "impress", 0] == pytest.approx(11 / unit)
    assert found["artist-1", "glaze", "none", 0] == pytest.approx(8 / unit)
    assert found["artist-1", "glaze", "impress", 1] == pytest.approx(5 / unit)


def test_a_subject_whose_controls_are_close_does_not_outweigh_the_others():
    """On a scale of its own, the first artist's loss of 6 would be 60 of its units."""
    found = scaled(
        {
            ("control:zero", ""): [0.1, 10.0],
            ("control:one", ""): [0.0, 0.0],
            ("glaze", "none"): [6.1, 16.0],
        }
    )
    first, second = (found[f"artist-{i}", "glaze", "none", 0] for i in range(2))
    assert first == pytest.approx(second) == pytest.approx(-6 / 5.05)


def test_of_squared_distances_the_roots_are_scaled():
    """Unbiased estimates may be below 0: their roots are, too."""
    assert SCORE.scale is not None
    root = replace(SCORE, scale=replace(SCORE.scale, squared=True))
    found = scaled(
        {
            ("control:zero", ""): [9.0],
            ("control:one", ""): [-1.0],
            ("glaze", "none"): [16.0],
        },
        root,
    )
    assert found["artist-0", "control:one", "", 0] == 1
    assert found["artist-0", "glaze", "none", 0] == pytest.approx((4 - 3) / (-1 - 3))


@pytest.mark.parametrize(
    ("zero", "one", "state", "words"),
    [
        ([3.0], [3.0], "failed", "one scores no better than zero"),
        ([1.0], [3.0], "failed", "one scores no better than zero"),
        ([("failed", "x")], [0.0], "missing", "not scored: the controls zero and one"),
        ([], [0.0], "missing", "not run: the controls zero and one"),
    ],
)
def test_a_row_without_a_scale_has_no_value(zero, one, state, words):
    found = scaled({("control:zero", ""): zero, ("control:one", ""): one, ("x", "none"): [5.0]})
    assert found["artist-0", "x", "none", 0][0] == state
    assert words in found["artist-0", "x", "none", 0][1]


def test_what_did_not_end_well_keeps_its_reason():
    ends = {("control:zero", ""): [9.0], ("control:one", ""): [1.0]}
    assert scaled({**ends, ("x", "none"): [("timeout", "60 s")]})["artist-0", "x", "none", 0] == (
        "timeout",
        "60 s",
    )


def test_cells_without_such_a_metric_stay_as_they_are():
    cells = cells_of({("x", "none"): [math.pi]})
    assert with_scaled(cells, Layout(BoardMeta())) is cells
