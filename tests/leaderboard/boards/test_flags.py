"""Each flag with a run that raises it, one that does not, and one that lacks its rows."""

import pytest

from impress_bench.benchmark.metric import MetricInfo, Scale
from impress_bench.leaderboard.boards.flags import build
from impress_bench.leaderboard.flags.catalogue import CHECKS
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, NOTES, PROTECTIONS

TASK = "style-mimicry"
SUBJECTS = 6
SCALE = Scale("distance", "untrained", "own-works", higher_is_better=False)
SECOND = MetricInfo("second", "Second", True)
UNTRAINED = ("control:untrained", "")
NAMES = {flag.name for flag, _ in CHECKS}


def cells_of(values, metric="score", spread=0.0):
    """Each row's score is this plus a little that differs between subjects; the control's lies
    above and below it in turn. A text is the reason for which the cell failed."""

    def score(condition, subject):
        either_side = spread * (-1) ** subject * (condition == UNTRAINED)
        return values[condition] + 0.01 * subject + either_side

    return [
        (TASK, f"artist-{i}", *condition, 0, metric, float("nan"), "failed", value)
        if isinstance(value, str)
        else (TASK, f"artist-{i}", *condition, 0, metric, score(condition, i), "done", None)
        for condition, value in values.items()
        for i in range(SUBJECTS)
    ]


def flags(
    values, *, lpips=None, linf=(0.1, 0.1), notes=None, styles=None, second=None, subjects=SUBJECTS,
    model="", spread=0.0, task=TASK, **meta,
):  # fmt: skip
    """The raised flags with their cases, and the names of those not checked. `lpips` gives each
    protection's first subject, and others a little more."""
    rows = cells_of(values, spread=spread) + cells_of(second or {}, "second")
    rows = [row for row in rows if int(row[1][-1]) < subjects]
    moved = [
        (TASK, f"artist-{at}", name, "a", linf[at > 0], 1.0, value + 0.001 * at, "done")
        for name, value in (lpips or {}).items()
        for at in range(SUBJECTS)
    ]
    seen = [
        (TASK, "artist-0", "identity", "none", "a", measure, value)
        for measure, value in (styles or {}).items()
    ]
    noted = [
        (TASK, f"artist-{at}", name, "", "a", note, value * (at > 0))
        for (name, note), value in (notes or {}).items()
        for at in range(SUBJECTS)
    ]
    meta = BoardMeta(
        metrics={task: [MetricInfo("score", "Score", True, scale=SCALE), SECOND]},
        reference_protection="glaze",
        model=model,
        passes={"jpeg": 0.0, "impress[steps=9]": 9.0, "impress": 90.0},
        **meta,
    )
    frames = [
        table.frame((task, *row[1:]) for row in found)
        for table, found in (
            (CELLS, rows), (PROTECTIONS, moved), (INSPECTIONS, seen), (NOTES, noted),
        )
    ]  # fmt: skip
    board = build(*frames, Layout(meta))
    (block,) = board.blocks
    raised = {row[0]: row[1] for row in block.rows}
    lacking = block.text.rpartition("six subjects: ")[2].rstrip(".").split(", ")
    return raised, {name for name in lacking if name in NAMES} & set(lacking), block.text


PLAIN = {("identity", "none"): 0.9, ("random-noise", "none"): 0.9, ("glaze", "none"): 0.3}
PURIFIED = {**PLAIN, ("glaze", "impress"): 0.8, ("glaze", "jpeg"): 0.4, ("identity", "jpeg"): 0.88}
SHORTER = {**PURIFIED, ("glaze", "impress[steps=9]"): 0.5}
MILD = "jpeg[quality=95]"
COMPRESSED = {**PLAIN, ("random-noise", MILD): 0.85, ("glaze", MILD): 0.5}
ADAPTED = {**PURIFIED, ("glaze+o-pgd", "none"): 0.5, ("glaze+o-pgd", "impress"): 0.6}

CASES = [
    ("few subjects", PLAIN, {"subjects": 5}, PLAIN, {}, "5 subjects"),
    (
        "learning is not shown", {**PLAIN, UNTRAINED: 0.95}, {}, {**PLAIN, UNTRAINED: 0.2}, {},
        "identity -0.0500 [-0.0500, -0.0500] beside Untrained",
    ),
    (
        "visible", PLAIN, {"lpips": {"glaze": 0.2}}, PLAIN, {"lpips": {"glaze": 0.05}},
        "glaze: LPIPS 0.203, 0.205 for artist-5",
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
        "made on the target alone: all protections",
    ),
    (
        "gone after mild JPEG", {**COMPRESSED, ("glaze", MILD): 0.95}, {}, COMPRESSED, {},
        f"glaze after {MILD}: takes -0.100 [-0.100, -0.100] beyond noise",
    ),
    (
        "non-finite or zero gradients left traces",
        {**PLAIN, ("mist", "none"): "protection mist: output holds 3 NaN or infinite values"}, {},
        PLAIN, {"lpips": {"glaze": 0.05}},
        "mist: protection mist: output holds 3 NaN or infinite values",
    ),
    (
        "not reproduced", PLAIN, {"reruns": {"glaze": ["glaze: cells.csv: x was claimed", "y"]}},
        PLAIN, {"reruns": {"glaze": []}},
        "glaze: cells.csv: x was claimed, and 1 more",
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


def test_a_protection_that_was_made_elsewhere_silences_no_other():
    rows = {**PLAIN, ("mist", "none"): 0.4, ("glaze[p=0.2,surrogate=other]", "none"): 0.9}
    assert flags(rows)[0]["white box only"] == "made on the target alone: mist"
    rows[("mist[surrogate=other]", "none")] = 0.9
    assert "white box only" not in flags(rows)[0]


def test_a_task_may_name_its_target():
    """What was made on the run's model is no white box where another one exploits it."""
    assert "white box only" in flags(PLAIN, model="ours")[0]
    task = "style-mimicry[target=theirs]"
    assert "white box only" not in flags(PLAIN, model="ours", task=task)[0]
    assert "white box only" in flags(PLAIN, model="theirs", task=task)[0]


def test_a_single_subject_is_seen():
    """The mean of these is below what is plain, the last lies above it."""
    raised = flags(PLAIN, lpips={"glaze": 0.0965})[0]
    assert raised["visible"] == "glaze: LPIPS 0.099, 0.102 for artist-5"
    assert "visible" not in flags(PLAIN, lpips={"glaze": 0.0953})[0], "0.100 is not above it"


def test_a_protection_is_held_against_its_own_budget():
    seen = {"lpips": {"glaze": 0.06}}
    raised = flags(PLAIN, **seen, lpips_budgets={"glaze": 0.05})[0]
    assert raised["visible"] == "glaze: LPIPS 0.062, 0.065 for artist-5, with a budget of 0.05"
    assert "visible" not in flags(PLAIN, **seen, lpips_budgets={"glaze": 0.0624})[0]
    assert "visible" not in flags(PLAIN, **seen, lpips_budgets={"glaze+o-pgd": 0.05})[0]


@pytest.mark.parametrize(
    "purifier", ["jpeg[quality=89]", "jpeg", "jpeg[quality=95]>impress", "resize[quality=95]"]
)
def test_only_mild_compression_alone_counts(purifier):
    name = "gone after mild JPEG"
    rows = {**PLAIN, ("random-noise", purifier): 0.9, ("glaze", purifier): 0.9}
    raised, lacking, _ = flags(rows)
    assert name not in raised
    assert name in lacking


def test_what_takes_nothing_beyond_noise_has_nothing_to_lose():
    name = "gone after mild JPEG"
    rows = {**COMPRESSED, ("glaze", "none"): 0.95, ("glaze", MILD): 0.95}
    raised, lacking, _ = flags(rows)
    assert name not in raised
    assert name in lacking


def test_images_left_as_they_were_and_gradients_noted_as_0_are_seen():
    name, term, orthogonal = (
        "non-finite or zero gradients left traces",
        "glaze+consistency",
        "glaze+o-pgd",
    )
    rows = {**PLAIN, (term, "none"): 0.5, (orthogonal, "none"): 0.5}
    raised = flags(rows, lpips={"glaze": 0.0}, linf=(0.0, 0.1))[0]
    assert raised[name] == "glaze: unchanged for 1 of 6 images"
    notes = {(term, "consistency-share"): 0.4, (orthogonal, "o-pgd-cosine"): -0.2}
    notes |= {(orthogonal, "o-pgd-success"): 1.0}
    assert flags(rows, notes=notes)[0][name] == (
        "glaze + consistency: consistency-share 0 for 1 of 6 images; "
        "glaze + o-pgd: o-pgd-cosine 0 for 1 of 6 images"
    )
    assert name not in flags(PLAIN, lpips={"identity": 0.0}, linf=(0.0, 0.0))[0]


def test_zeros_that_are_asked_for_are_none():
    name = "non-finite or zero gradients left traces"
    half, free = "partial[of=glaze]", "glaze+consistency[weight=0]"
    rows = {**PLAIN, (half, "none"): 0.5, (free, "none"): 0.5}
    seen = {"lpips": {half: 0.0}, "linf": (0.0, 0.0), "notes": {(free, "consistency-share"): 0.0}}
    assert name not in flags(rows, **seen)[0]


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        ("purifier impress: returned no valid result: images hold NaN or infinity", True),
        ("protection x: note share is not one finite value per image: [nan]", True),
        ("task: failed in exploit (FloatingPointError: fine-tuning diverged at step 3)", True),
        ("malicious-editing: scored psnr as inf", False),
        ("metric lpips: is not one finite value per image: [inf]", False),
        ("protection x: failed in protect (RuntimeError: information is missing)", False),
    ],
)
def test_reasons_that_name_values_which_are_not_finite(reason, seen):
    rows = {**PLAIN, ("mist", "none"): reason}
    assert ("non-finite or zero gradients left traces" in flags(rows)[0]) == seen


def test_a_rerun_is_told_where_its_rows_are():
    assert "not reproduced" not in flags(PLAIN, reruns={"mist": ["x"]})[0]
    raised = flags({**PLAIN, ("glaze", "bleach[by=2]"): 0.5}, reruns={"bleach": ["x"]})[0]
    assert raised["not reproduced"] == "x"


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
        "gone after mild JPEG", "non-finite or zero gradients left traces", "not reproduced",
    }  # fmt: skip
