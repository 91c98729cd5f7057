"""A run in the layout of the paper's tables; which of their orders hold, reverse, stay open."""

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
        (TASK, f"artist-{i}", *condition, 0, "clip-top3", *ended)
        for condition, of_subjects in values.items()
        for i, value in enumerate(of_subjects)
        for ended in [(float("nan"), *value) if isinstance(value, tuple) else (value, "done", None)]
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
    (block,) = found.blocks
    assert block.heading == "Table 1: style-mimicry"
    assert block.text == (
        "CLIP top-3, of the paper's 6 orders: 4 hold here, 1 undecided, 1 reversed"
        " (glaze[p=0.05], impress[steps=9] over identity)."
    )
    assert "miniature" in found.text


def test_cells_have_the_papers_figure_first_and_stand_in_the_papers_columns():
    found = board(
        {
            ("identity", "none"): [0.8, 0.7, 0.9],
            ("glaze[p=0.05]", "none"): [0.3, 0.2, 0.4],
            ("glaze[p=0.05]", "impress[steps=9]"): [0.9, 0.8, 1.0],
            ("glaze[p=0.05]", "gaussian-noise"): [0.3, 0.3, ("failed", "out of memory")],
        }
    )
    (block,) = found.blocks
    assert block.headers == [
        "The paper / this run", "identity", "glaze [1]", "jpeg", "gaussian-noise", "resize",
        "impress [2]",
    ]  # fmt: skip
    assert block.rows == [
        [
            "CLIP top-3", "90.8 / 80.0 ± 10.0", "42.5 / 30.0 ± 10.0", "64.9 / missing [3]",
            "47.9 / 30.0 ± 0.0 (n=2) [4]", "66.6 / missing [3]", "87.0 / 90.0 ± 10.0",
        ]
    ]  # fmt: skip
    assert block.footnotes.texts == [
        "In this run glaze[p=0.05]", "In this run impress[steps=9]", "not run",
        "1 of 3 failed: out of memory",
    ]  # fmt: skip


def test_every_figure_of_the_paper_has_a_cell_of_its_own():
    """All of a table, in a run that has all of its conditions: the paper's numbers by hand."""
    weights = [f"glaze+consistency[weight={weight}]" for weight in (1, 10, 40, 100, 1000)]
    names = ["identity", "glaze", "glaze+o-pgd", *weights]
    tables = board({(name, state): [0.5] * 3 for name in names for state in ("none", "impress")})
    shown = {block.heading[:7]: block for block in tables.blocks}
    theirs = {
        title: [[cell.partition(" / ")[0] for cell in row] for row in block.rows]
        for title, block in shown.items()
    }
    assert theirs == {
        "Table 1": [["CLIP top-3", "90.8", "42.5", "64.9", "47.9", "66.6", "87.0"]],
        "Table 3": [
            ["CLIP top-3, protected", "42.5", "41.0", "40.8", "47.1", "77.1"],
            ["CLIP top-3, after impress", "85.6", "84.6", "81.9", "85.7", "82.1"],
        ],
        "Table 4": [
            ["", "", "Protected", "Purified", "Protected", "Purified"],
            ["CLIP top-3", "90.8", "42.5", "87.0", "40.8", "81.9"],
        ],
        "Table 6": [
            ["", "", "Protected", "Purified", "Protected", "Purified"],
            ["CLIP top-3", "90.8", "42.5", "87.0", "48.0", "83.9"],
        ],
    }
    assert shown["Table 3"].headers[1:] == [f"γ = {g}" for g in (1, 10, 40, 100, 1000)]
    adapted = shown["Table 6"].headers
    assert adapted[1:] == ["identity", "Without adaptation", "", "With glaze + o-pgd", ""]


@pytest.mark.parametrize("subjects", [1, 5])
def test_few_subjects_decide_nothing_and_one_row_is_no_order(subjects):
    lone = board({("identity", "none"): [0.8] * subjects, ("glaze", "none"): [0.3] * subjects})
    told = f"{subjects} subject{'s' * (subjects > 1)}, too few to decide on the paper's 1 order."
    assert told in lone.blocks[0].text
    assert board({("glaze", "none"): [0.3, 0.4], ("mist", "none"): [0.1, 0.2]}) is None


def test_what_lacks_subjects_is_counted_among_the_undecided():
    rows = {("identity", "none"): [0.8] * 6, ("glaze", "none"): [0.3] * 6,
            ("glaze", "jpeg"): [0.5] * 5}  # fmt: skip
    assert board(rows).blocks[0].text == (
        "CLIP top-3, of the paper's 3 orders: 1 hold here, 2 undecided (2 for lack of subjects), 0 "
        "reversed."
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
    rows = {block.heading: block.rows[1] for block in found.blocks if block.rows[1:]}
    assert rows["Table 4: style-mimicry"][1:] == [
        "90.8 / missing [1]", "42.5 / 35.0 ± 7.1", "87.0 / 75.0 ± 7.1",
        "40.8 / 40.0 ± 7.1", "81.9 / missing [1]",
    ]  # fmt: skip
    assert [cell[:4] for cell in rows["Table 6: style-mimicry"][1:]] == [
        "90.8", "42.5", "87.0", "48.0", "83.9",
    ]  # fmt: skip
    assert rows["Table 6: style-mimicry"][5] == "83.9 / 55.0 ± 7.1"
    assert "Table 3: style-mimicry" not in rows  # one weight alone is no curve


def test_tables_of_adaptations_are_left_out_of_runs_without_an_adaptation():
    lone = board({("identity", "none"): [0.8] * 3, ("glaze", "none"): [0.3] * 3})
    assert [block.heading for block in lone.blocks] == ["Table 1: style-mimicry"]
    assert {record["table"] for record in lone.records} == {"against-the-paper"}
