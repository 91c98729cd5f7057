"""Orders of the paper's rows in a run: which hold, which are reversed, which are not decided."""

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.leaderboard.boards.against_paper import build
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS

TASK = "style-mimicry"
META = BoardMeta(
    metrics={TASK: [MetricInfo("clip-top3", "CLIP top-3", True, SHARE)]}, model_is_miniature=True
)


def board(values):
    """Of rows (protection, purifier) with one value per subject."""
    rows = [
        (TASK, f"artist-{i}", *condition, 0, "clip-top3", value, "done", None)
        for condition, of_subjects in values.items()
        for i, value in enumerate(of_subjects)
    ]
    return build(CELLS.frame(rows), Layout(META))


def test_orders_are_counted_by_their_paired_intervals():
    # In the paper: clean 90.8 > IMPRESS 87.0 > JPEG 64.9 > GLAZE 42.5.
    found = board(
        {
            ("identity", "none"): [0.8, 0.7, 0.9] * 2,
            ("glaze[p=0.05]", "none"): [0.3, 0.2, 0.4] * 2,
            ("glaze[p=0.05]", "impress[steps=9]"): [0.9, 0.81, 1.0] * 2,
            ("glaze[p=0.05]", "jpeg"): [0.5, 0.1, 0.3] * 2,
        }
    )
    (block,) = [block for block in found.blocks if block.heading == "Table 1: CLIP top-3"]
    assert block.text == (
        "Of the paper's 6 orders: 4 hold here, 1 undecided, 1 reversed"
        " (glaze[p=0.05], impress[steps=9] over identity)."
    )
    assert [row[1] for row in block.rows] == ["90.8", "42.5", "64.9", "87"]
    assert block.rows[1][2] == "30.0 ± 8.9"
    assert "miniature" in found.text


@pytest.mark.parametrize("subjects", [1, 5])
def test_few_subjects_decide_nothing_and_one_row_is_no_order(subjects):
    lone = board({("identity", "none"): [0.8] * subjects, ("glaze", "none"): [0.3] * subjects})
    told = f"{subjects} subject{'s' * (subjects > 1)}, too few to decide on the paper's 1 order."
    assert lone.blocks[0].text == told
    assert board({("glaze", "none"): [0.3, 0.4], ("mist", "none"): [0.1, 0.2]}) is None


def test_what_lacks_subjects_is_counted_among_the_undecided():
    rows = {("identity", "none"): [0.8] * 6, ("glaze", "none"): [0.3] * 6,
            ("glaze", "jpeg"): [0.5] * 5}  # fmt: skip
    assert board(rows).blocks[0].text == (
        "Of the paper's 3 orders: 1 hold here, 2 undecided (2 for lack of subjects), 0 reversed."
    )


def test_adapted_rows_are_those_of_the_papers_parameters():
    found = board(
        {
            ("glaze", "none"): [0.3, 0.4],
            ("glaze", "impress"): [0.7, 0.8],
            ("glaze+consistency[weight=40]", "none"): [0.35, 0.45],
            ("glaze+consistency[weight=41]", "none"): [0.0, 0.1],
            ("glaze+o-pgd", "impress"): [0.5, 0.6],
        }
    )
    table = {block.heading: block.rows for block in found.blocks}
    assert [row[1:2] for row in table["Table 4: CLIP top-3"]] == [["42.5"], ["87"], ["40.8"]]
    assert [row[1] for row in table["Table 6: CLIP top-3"]] == ["42.5", "87", "83.9"]
    assert "Table 3: CLIP top-3" not in table  # one weight alone is no curve
