"""Each flag with a run that raises it, one that does not, and one that lacks its rows."""

import pytest

from impress_bench.benchmark.metric import MetricInfo, Scale
from impress_bench.leaderboard.boards.flags import build
from impress_bench.leaderboard.flags.catalogue import CHECKS
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, PROTECTIONS

TASK = "style-mimicry"
SUBJECTS = 6
SCALE = Scale("distance", "untrained", "own-works", higher_is_better=False)
SECOND = MetricInfo("second", "Second", True)
UNTRAINED = ("control:untrained", "")
NAMES = {flag.name for flag, _ in CHECKS}


def cells_of(values, metric="score", spread=0.0):
    """Each row's score is this plus a little that differs between subjects; the control's lies
    above and below it in turn."""

    def score(condition, subject):
        either_side = spread * (-1) ** subject * (condition == UNTRAINED)
        return values[condition] + 0.01 * subject + either_side

    return [
        (TASK, f"artist-{i}", *condition, 0, metric, score(condition, i), "done", None)
        for condition in values
        for i in range(SUBJECTS)
    ]


def flags(values, *, lpips=None, styles=None, second=None, subjects=SUBJECTS, model="", spread=0.0):
    """The raised flags with their cases, and the names of those not checked."""
    rows = cells_of(values, spread=spread) + cells_of(second or {}, "second")
    rows = [row for row in rows if int(row[1][-1]) < subjects]
    moved = [
        (TASK, f"artist-{at}", name, "a", 0.1, 1.0, value + 0.001 * at, "done")
        for name, value in (lpips or {}).items()
        for at in range(SUBJECTS)
    ]
    seen = [
        (TASK, "artist-0", "identity", "none", "a", measure, value)
        for measure, value in (styles or {}).items()
    ]
    meta = BoardMeta(
        metrics={TASK: [MetricInfo("score", "Score", True, scale=SCALE), SECOND]},
        reference_protection="glaze",
        model=model,
        passes={"jpeg": 0.0, "impress[steps=9]": 9.0, "impress": 90.0},
    )
    board = build(
        CELLS.frame(rows), PROTECTIONS.frame(moved), INSPECTIONS.frame(seen), Layout(meta)
    )
    (block,) = board.blocks
    raised = {row[0]: row[1] for row in block.rows}
    lacking = block.text.rpartition("six subjects: ")[2].rstrip(".").split(", ")
    return raised, {name for name in lacking if name in NAMES} & set(lacking), block.text


PLAIN = {("identity", "none"): 0.9, ("random-noise", "none"): 0.9, ("glaze", "none"): 0.3}
PURIFIED = {**PLAIN, ("glaze", "impress"): 0.8, ("glaze", "jpeg"): 0.4, ("identity", "jpeg"): 0.88}
SHORTER = {**PURIFIED, ("glaze", "impress[steps=9]"): 0.5}
ADAPTED = {**PURIFIED, ("glaze+o-pgd", "none"): 0.5, ("glaze+o-pgd", "impress"): 0.6}

CASES = [
    ("few subjects", PLAIN, {"subjects": 5}, PLAIN, {}, "5 subjects"),
    (
        "learning is not shown", {**PLAIN, UNTRAINED: 0.95}, {}, {**PLAIN, UNTRAINED: 0.2}, {},
        "identity -0.0500 [-0.0500, -0.0500] beside Untrained",
    ),
    (
        "visible", PLAIN, {"lpips": {"glaze": 0.2}}, PLAIN, {"lpips": {"glaze": 0.05}},
        "glaze: LPIPS 0.203",
    ),
    (
        "noise falls short",
        PLAIN, {"lpips": {"glaze": 0.06, "random-noise": 0.05}},
        PLAIN, {"lpips": {"glaze": 0.05, "random-noise": 0.05}},
        "glaze: by LPIPS 0.0100 [0.0100, 0.0100], less visible for 6 of 6 subjects",
    ),
    (
        "adapted is weaker", {**ADAPTED, ("glaze+o-pgd", "impress"): 0.85}, {}, ADAPTED, {},
        "glaze + o-pgd after impress",
    ),
    (
        "a cheaper purifier is better", {**PURIFIED, ("glaze", "jpeg"): 0.85}, {}, PURIFIED, {},
        "glaze: jpeg beats impress",
    ),
    (
        "more passes harm", {**SHORTER, ("glaze", "impress[steps=9]"): 0.85}, {}, SHORTER, {},
        "glaze: impress[steps=9] beats impress",
    ),
    (
        "a purifier harms", {**PURIFIED, ("identity", "jpeg"): 0.5}, {}, PURIFIED, {},
        "jpeg after glaze",
    ),
    (
        "metrics disagree",
        PLAIN, {"second": {("random-noise", "none"): 0.2, ("glaze", "none"): 0.4}},
        PLAIN, {"second": {("random-noise", "none"): 0.4, ("glaze", "none"): 0.4}},
        "glaze takes by Score and gives by Second",
    ),
    (
        "the judge sees the decoder",
        PLAIN, {"styles": {"own-style": 1.0, "own-style-decoded": 0.7}},
        PLAIN, {"styles": {"own-style": 0.8, "own-style-decoded": 0.7}},
        "70 % of reconstructions, 100 % of images (6 subjects)",
    ),
    (
        "white box only", PLAIN, {}, {**PLAIN, ("glaze[surrogate=other]", "none"): 0.9}, {},
        "made on the target: all 1 protections",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bad", "also", "good", "with_", "case"), CASES)
def test_a_flag_is_raised_and_is_clear(name, bad, also, good, with_, case):
    assert flags(bad, **also)[0][name] == case
    raised, lacking, text = flags(good, **with_)
    assert name not in raised
    assert name not in lacking
    assert name in text


def test_what_is_made_on_the_target_too_is_no_transfer():
    named = "glaze[surrogate=other]+surrogates[models=ours]"
    rows = {**PLAIN, (named, "none"): 0.9}
    assert "white box only" not in flags(rows, model="another")[0]
    assert "white box only" in flags(rows, model="ours")[0]


def test_of_few_subjects_no_comparison_counts_as_clear():
    """Whether it would raise the flag or not: five subjects decide neither."""
    for rows in (ADAPTED, {**ADAPTED, ("glaze+o-pgd", "impress"): 0.85}):
        raised, lacking, _ = flags(rows, subjects=5)
        assert set(raised) == {"few subjects", "white box only"}
        assert {"adapted is weaker", "a cheaper purifier is better", "metrics disagree"} <= lacking


def test_what_is_learned_has_to_be_shown():
    """Six subjects of which some lie on either side show nothing; two may raise the flag, by their
    mean, and never clear it."""
    name, rows = "learning is not shown", {**PLAIN, UNTRAINED: 0.8}
    assert name in flags(rows, spread=0.3)[0]
    assert name in flags({**PLAIN, UNTRAINED: 1.0}, subjects=2)[0]
    raised, lacking, _ = flags(rows, subjects=2)
    assert name not in raised
    assert name in lacking


def test_every_flag_has_a_case():
    assert {case[0] for case in CASES} == NAMES


def test_checks_without_their_rows_are_named():
    _, lacking, _ = flags(PLAIN)
    assert lacking == {
        "visible", "noise falls short", "adapted is weaker", "a cheaper purifier is better",
        "more passes harm",
        "a purifier harms", "learning is not shown", "the judge sees the decoder",
    }  # fmt: skip
