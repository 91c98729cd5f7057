"""Sentences under tables: each side of each rule, on differences that are known."""

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.leaderboard.entries import collect
from impress_bench.leaderboard.findings.comparisons import block, compare
from impress_bench.leaderboard.findings.tables import adaptation_findings, protection_findings
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta, Roles
from impress_bench.leaderboard.schema import CELLS

TASK, SCORE = "style-mimicry", MetricInfo("score", "Score", True, primary=True)
LAYOUT = Layout(
    BoardMeta(reference_protection="glaze", titles={"glaze": "GLAZE", "impress": "IMPRESS"})
)
BASE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
WAVE = [0.1, -0.1] * 3  # a difference of mean 0, whose interval is [-.115, .115]
CLEAN, NOISE, GLAZE = ("identity", "none"), ("random-noise", "none"), ("glaze", "none")
IMPRESS, JPEG, HALF = ("glaze", "impress"), ("glaze", "jpeg"), ("glaze", "half")


def entries(shifts, scale=1.0, waves=()):
    """Subjects' values: `BASE` and the shift of their condition."""
    frame = CELLS.frame(
        (TASK, f"artist-{i}", *condition, 0, "score", scale * (value + shift + wave), "done", None)
        for condition, shift in shifts.items()
        for i, (value, wave) in enumerate(
            zip(BASE, WAVE if condition in waves else [0] * 6, strict=True)
        )
    )
    return collect(frame, TASK, ["score"])


def found(shifts, metric=SCORE, **more):
    return protection_findings(entries(shifts, **more), LAYOUT, list(shifts), GLAZE, [metric])


def test_each_sentence_says_on_which_side_of_zero_the_interval_lies():
    shifts = {CLEAN: 0.5, NOISE: 0.4, GLAZE: 0.0, IMPRESS: 0.3, JPEG: 0.1, HALF: 0.35}
    assert found(shifts) == (
        "Score: GLAZE takes 0.400 [0.400, 0.400] more than noise that is as visible."
        " IMPRESS gives 0.300 [0.300, 0.300] back to the exploit."
        " The exploit fares better than after jpeg and worse than after half."
        " Clean images are still worth 0.200 [0.200, 0.200] more to the exploit."
    )
    shifts = {CLEAN: -0.2, NOISE: -0.1, GLAZE: 0.0, IMPRESS: -0.1}
    assert found(shifts) == (
        "Score: Noise that is as visible takes 0.100 [0.100, 0.100] more than GLAZE."
        " IMPRESS takes another 0.100 [0.100, 0.100]."
        " After IMPRESS the exploit is 0.100 [0.100, 0.100] better than on clean images."
    )


def test_noise_of_the_plain_form_is_called_so():
    adapted = ("glaze+o-pgd", "none")
    shifts = {NOISE: 0.4, adapted: 0.0}
    text = protection_findings(entries(shifts), LAYOUT, list(shifts), adapted, [SCORE])
    assert "more than noise that is as visible as GLAZE." in text
    turned = {NOISE: -0.4, adapted: 0.0}
    text = protection_findings(entries(turned), LAYOUT, list(turned), adapted, [SCORE])
    assert "Noise that is as visible as GLAZE takes 0.400" in text


@pytest.mark.parametrize(
    ("subjects", "purifiers", "told"),
    [
        (6, 3, "6 subjects and 2 secondary comparisons allow no p below .062,"),
        (6, 2, ""),
        (6, 1, ""),
        (9, 3, ""),
    ],
)
def test_it_is_said_where_no_p_can_be_low_enough(subjects, purifiers, told):
    """Least of n signs: 2 / 2^n, times the number of secondary comparisons."""
    purified = [("glaze", name) for name in ("impress", "jpeg", "half")[:purifiers]]
    columns = {GLAZE: "Protected", **{one: one[1] for one in purified}}
    frame = CELLS.frame(
        (TASK, f"artist-{i}", *condition, 0, "score", 0.1 * i + 0.2 * at, "done", None)
        for at, condition in enumerate(columns)
        for i in range(subjects)
    )
    lines = compare("table-1", collect(frame, TASK, ["score"]), LAYOUT, columns, GLAZE, [SCORE])
    text = block("GLAZE", lines, [SCORE]).text
    assert told in text
    assert ("allow no p" in text) == bool(told)


def test_the_reference_purifier_is_tested_alone_and_six_others_together():
    """Of eight subjects of one sign p is 2 / 2^8, times six for the secondary comparisons."""
    columns = {CLEAN: "Clean", NOISE: "Noise", GLAZE: "Protected"}
    columns |= {("glaze", f"p-{i}"): f"P{i}" for i in range(3)} | {IMPRESS: "IMPRESS"}
    columns |= {("glaze", f"p-{i}"): f"P{i}" for i in range(3, 8)}
    frame = CELLS.frame(
        (TASK, f"artist-{i}", *condition, 0, "score", 0.1 * i + 0.2 * at, "done", None)
        for at, condition in enumerate(columns)
        for i in range(8)
        if condition != ("glaze", "p-1")  # a column without cells takes no place
    )
    lines = compare("table-1", collect(frame, TASK, ["score"]), LAYOUT, columns, GLAZE, [SCORE])
    p = {line.label: line.p for line in lines if line.label.endswith(" − Protected")}
    assert p["IMPRESS − Protected"] == 2 / 2**8
    secondary = ["Noise", "P0", "P2", "P3", "P4", "P5"]
    assert {f"{one} − Protected" for one in secondary} == {
        label for label, found in p.items() if found == pytest.approx(6 * 2 / 2**8)
    }
    assert [p[f"{one} − Protected"] for one in ("Clean", "P1", "P6", "P7")] == [None] * 4
    text = block("GLAZE", lines, [SCORE]).text
    assert "Primary, the same in every run and not adjusted: IMPRESS − Protected." in text
    assert "the first five other purifiers in the order of the preset. Further comparisons" in text


def test_an_interval_around_zero_leaves_the_question_open():
    shifts = {CLEAN: 0.0, NOISE: 0.0, GLAZE: 0.0, IMPRESS: 0.0, JPEG: 0.0}
    assert found(shifts, waves=[CLEAN, NOISE, IMPRESS]).split(": ", 1)[1] == (
        "Whether GLAZE takes more than noise that is as visible is not shown:"
        " +0.000 [-0.115, +0.115]. With 6 subjects that differ so, a true difference of 0.157"
        " would be found in four of five runs."
        " Whether IMPRESS gives anything back is not shown: +0.000 [-0.115, +0.115]."
        " Beside jpeg no difference is shown."
        " Whether clean images are worth more than those after IMPRESS is not shown:"
        " +0.00 [+0.00, +0.00]."
    )


def test_directions_turn_with_the_metric_and_shares_are_points():
    shifts = {NOISE: 0.4, GLAZE: 0.0}
    lower = MetricInfo("score", "Distance", False, primary=True)
    assert "GLAZE takes 0.400" in found(shifts, lower, scale=-1.0)
    assert "Noise that is as visible takes 0.400" in found(shifts, lower)
    share = MetricInfo("score", "Top-1", True, SHARE, primary=True)
    decibel = MetricInfo("score", "PSNR", True, "dB", primary=True)
    assert found(shifts, decibel).startswith("PSNR, in dB: GLAZE")
    assert found(shifts, share).startswith("Top-1, in percentage points: GLAZE takes 40.0 [40.0,")


def test_of_few_subjects_it_is_said_that_they_are_few():
    shifts = {NOISE: 0.4, GLAZE: 0.0, IMPRESS: 0.3, ("glaze+o-pgd", "none"): 0.1}
    for count, said in ((1, "Score: 1 subject, too few to conclude."),
                        (5, "Score: 5 subjects, too few to conclude.")):  # fmt: skip
        frame = CELLS.frame(
            (TASK, f"a-{i}", *key, 0, "score", value + shift, "done", None)
            for key, shift in shifts.items()
            for i, value in enumerate(BASE[:count])
        )
        few = collect(frame, TASK, ["score"])
        assert protection_findings(few, LAYOUT, list(shifts), GLAZE, [SCORE]) == said
        adapted = adaptation_findings(few, LAYOUT, "glaze", "glaze+o-pgd", "impress", [SCORE])
        assert adapted == said


def test_what_has_no_interval_is_not_spoken_of():
    frame = CELLS.frame(
        (TASK, "artist", *key, 0, "score", value, "done", None)
        for key, value in {NOISE: 0.4, GLAZE: 0.0}.items()
    )
    one = collect(frame, TASK, ["score"])
    assert "too few" in protection_findings(one, LAYOUT, [NOISE, GLAZE], GLAZE, [SCORE])
    nothing = protection_findings({}, LAYOUT, [NOISE, GLAZE], GLAZE, [SCORE])
    assert nothing.startswith("Score: Nothing is concluded of GLAZE")
    secondary = MetricInfo("score", "Score", True)
    assert "declares no primary metric" in found({NOISE: 0.4, GLAZE: 0.0}, secondary)


def test_the_headline_purifier_stands_for_the_reference_one_where_that_was_not_run():
    headline = Layout(LAYOUT.meta.model_copy(update={"roles": Roles(headline="auto")}))
    auto, jpeg = ("glaze", "auto"), ("glaze", "jpeg")
    for purified, told in (({auto: 0.3, jpeg: 0.1}, "auto gives 0.300"), ({jpeg: 0.1}, None)):
        rows = {NOISE: 0.4, GLAZE: 0.0, **purified}
        text = protection_findings(entries(rows), headline, list(rows), GLAZE, [SCORE])
        assert told in text if told else "gives" not in text
    both = {GLAZE: 0.0, auto: 0.3, IMPRESS: 0.2}
    text = protection_findings(entries(both), headline, list(both), GLAZE, [SCORE])
    assert "IMPRESS gives 0.200" in text
    assert "auto gives" not in text


@pytest.mark.parametrize(
    ("bare", "after", "said"),
    [
        (-0.1, -0.2, ("takes 0.100 [0.100, 0.100] more than", "After IMPRESS it takes 0.200 [0.")),
        (0.1, 0.3, ("takes 0.100 [0.100, 0.100] less than", "0.300] less.")),
        (None, None, ("costs protection is not shown", "after IMPRESS is not shown")),
    ],
)
def test_what_an_adaptation_costs_and_whether_it_pays(bare, after, said):
    adapted, purified = ("glaze+o-pgd", "none"), ("glaze+o-pgd", "impress")
    shifts = {GLAZE: 0.0, IMPRESS: 0.3, adapted: bare or 0.0, purified: 0.3 + (after or 0.0)}
    waves = [adapted, purified] if bare is None else []
    text = adaptation_findings(
        entries(shifts, waves=waves), LAYOUT, "glaze", "glaze+o-pgd", "impress", [SCORE]
    )
    assert all(part in text for part in said), text
