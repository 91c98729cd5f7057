"""One sentence per table of many rows: counts and names of rows whose intervals are known."""

from dataclasses import replace

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.leaderboard.entries import collect
from impress_bench.leaderboard.findings.reasons import NO_NOISE
from impress_bench.leaderboard.findings.verdicts import (
    detection_verdict,
    purifier_verdict,
    survival_verdict,
    transfer_verdict,
    visibility_verdict,
    weight_verdict,
)
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS
from impress_bench.leaderboard.statistics import Summary

TASK = "style-mimicry"
SCORE = MetricInfo("score", "Score", True, primary=True)
LAYOUT = Layout(BoardMeta(titles={"glaze": "GLAZE", "impress": "IMPRESS"}))
BASE, WAVE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.1, -0.1] * 3
ABOVE, BELOW, OPEN = (Summary(6, mean, 0.1, mean - 0.1, mean + 0.1) for mean in (0.3, -0.3, 0.0))
UNKNOWN = Summary(1, 0.3)


def entries(shifts, waves=()):
    """`BASE`, the shift of a condition, and where it is among `waves` a wave of mean 0."""
    frame = CELLS.frame(
        (TASK, f"a-{i}", *key, 0, "score", value + shift + wave * (key in waves), "done", None)
        for key, shift in shifts.items()
        for i, (value, wave) in enumerate(zip(BASE, WAVE, strict=True))
    )
    return collect(frame, TASK, ["score"])


def test_weights_stand_on_the_side_of_zero_on_which_their_intervals_lie():
    names = {f"w={w}": f"glaze+consistency[weight={w}]" for w in (1, 10, 40)}
    shifts = {("glaze", "none"): 0.0, ("glaze", "impress"): 0.5}
    for name, bare, after in zip(names.values(), (0.0, -0.2, 0.3), (0.0, 0.1, 0.2), strict=True):
        shifts |= {(name, "none"): bare, (name, "impress"): 0.5 + after}
    waves = [(names["w=1"], state) for state in ("none", "impress")]
    assert weight_verdict(entries(shifts, waves), LAYOUT, "glaze", names, [SCORE]) == (
        "Score: Unpurified, compared with no term: more is taken with w=10 (+0.200 [+0.200,"
        " +0.200]); less is taken with w=40 (-0.300 [-0.300, -0.300]); no difference is shown"
        " with w=1."
        " After IMPRESS, compared with no term: less is taken with w=10 (-0.100 [-0.100, -0.100])"
        " and w=40 (-0.200 [-0.200, -0.200]); no difference is shown with w=1."
    )
    assert "declares no primary" in weight_verdict(entries(shifts), LAYOUT, "glaze", names, [])
    assert weight_verdict({}, LAYOUT, "glaze", names, [SCORE]) == ""


def test_survivors_are_named_and_the_others_too():
    found = {"GLAZE": ABOVE, "Mist": ABOVE, "AdvDM": OPEN, "SDS": BELOW, "Alone": UNKNOWN}
    assert survival_verdict(found) == (
        "Shown to survive: GLAZE and Mist. Not shown to survive: AdvDM and SDS. Too few subjects:"
        " Alone."
    )
    assert survival_verdict({"GLAZE": ABOVE}) == "Shown to survive: GLAZE."
    assert survival_verdict({"GLAZE": OPEN}) == "Not shown to survive: GLAZE."
    assert survival_verdict({"GLAZE": UNKNOWN}) == "1 subject, too few to conclude."
    assert survival_verdict({"GLAZE": Summary(0)}) == survival_verdict({}) == NO_NOISE


def test_transfer_is_counted_by_where_a_protection_was_made():
    cells = [(True, ABOVE), (True, OPEN), (False, BELOW), (False, ABOVE), (False, UNKNOWN)]
    assert transfer_verdict(cells) == (
        "More than noise is taken in 1 of 2 cells on a model that the protection was made on"
        " and in 1 of 2 cells on another model. Of 1 more the subjects are too few."
    )
    assert transfer_verdict(cells[:1]).endswith(
        "in 1 of 1 cells on a model that the protection was made on."
    )
    assert transfer_verdict(cells[4:]) == "1 subject, too few to conclude."
    assert transfer_verdict([(True, Summary(0))]) == transfer_verdict([]) == NO_NOISE


@pytest.mark.parametrize("higher", [True, False])
def test_what_purifiers_give_back_is_counted_in_the_exploit_s_direction(higher):
    sign = 1 if higher else -1
    shifts = {("glaze", "none"): 0.0, ("glaze", "jpeg"): 0.2 * sign, ("glaze", "resize"): 0.0}
    shifts |= {("identity", "none"): 0.0, ("identity", "jpeg"): 0.9, ("control:floor", ""): 0.0}
    shifts |= {
        ("mist", "none"): 0.0,
        ("mist", "jpeg"): -0.1 * sign,
        ("mist", "impress"): 0.1 * sign,
    }
    metric = MetricInfo("score", "Score", higher, SHARE, primary=True)
    measured = entries(shifts, waves=[("glaze", "resize")])
    assert purifier_verdict(measured, LAYOUT, list(shifts), metric) == (
        "Of 4 pairs of a protection and a purifier, the exploit is better off than without the"
        " purifier in 2, worse off in 1, and in 1 neither is shown."
    )
    bare = purifier_verdict(measured, LAYOUT, [("glaze", "none")], metric)
    assert bare == "No purifier met a protection."


def test_of_few_subjects_nothing_is_concluded():
    """Five subjects, whose intervals lie beyond 0: in no sentence do they count."""
    five = entries({("glaze", "none"): 0.0, ("glaze", "jpeg"): 0.2, ("w", "none"): -0.2})
    five = {
        key: replace(entry, by_subject=dict(list(entry.by_subject.items())[:5]))
        for key, entry in five.items()
    }
    conditions = [("glaze", "none"), ("glaze", "jpeg")]
    assert purifier_verdict(five, LAYOUT, conditions, SCORE) == (
        "Of 1 pair of a protection and a purifier the subjects are too few."
    )
    assert weight_verdict(five, LAYOUT, "glaze", {"w=1": "w"}, [SCORE]) == (
        "Score: Unpurified, compared with no term: subjects are too few with w=1."
    )
    few = replace(ABOVE, n=5)
    for told in (survival_verdict({"GLAZE": few}), transfer_verdict([(True, few)])):
        assert told == "5 subjects, too few to conclude."


def test_the_least_and_the_most_visible_are_named():
    def seen(*values):
        return {f"artist-{i}": value for i, value in enumerate(values)}

    one, two, three = seen(*[0.08] * 6), seen(*[0.2, 0.1] * 3), seen(*[0.1, 0.2] * 3)
    assert visibility_verdict({"GLAZE": one, "Mist": two}) == (
        "By mean LPIPS least visible is GLAZE (0.080); most visible is Mist (0.150)."
    )
    assert visibility_verdict({"Mist": two, "GLAZE": one, "SDS": three}).endswith(
        "(0.080); most visible is SDS (0.150), from which Mist is not shown to differ."
    )
    assert visibility_verdict({"GLAZE": one}) == "Mean LPIPS of GLAZE is 0.080."
    assert "has an LPIPS" in visibility_verdict({})


def test_one_row_of_few_subjects_silences_no_other():
    six, five = ({f"a-{i}": level for i in range(n)} for n, level in ((6, 0.1), (5, 0.01)))
    assert visibility_verdict({"GLAZE": six, "Mist": five}) == (
        "Mean LPIPS of GLAZE is 0.100. Of 1 more the subjects are too few."
    )
    more = {name: 2 * value for name, value in six.items()}
    assert visibility_verdict({"Mist": five, "SDS": more, "GLAZE": six}) == (
        "By mean LPIPS least visible is GLAZE (0.100); most visible is SDS (0.200). Of 1 more the"
        " subjects are too few."
    )
    assert visibility_verdict({"Mist": five, "SDS": five}) == "5 subjects, too few to conclude."


def test_what_can_be_detected_is_named_where_it_is_little():
    areas = {"GLAZE": Summary(6, 0.9, None, 0.8, 1.0), "Mist": Summary(6, 0.6, None, 0.4, 0.8)}
    assert detection_verdict(areas, "VAE error") == (
        "By the VAE error, 1 of 2 conditions have larger errors than clean images (interval of the"
        " area above .5): GLAZE."
    )
    many = {f"P{i}": areas["GLAZE"] for i in range(7)}
    assert detection_verdict(many, "VAE error").endswith("area above .5).")
    one = detection_verdict({"GLAZE": Summary(1, 0.9)}, "VAE error")
    assert one == "1 subject, too few to conclude."
    few = {"SDS": replace(areas["GLAZE"], n=5)}
    assert detection_verdict(few, "VAE error") == "5 subjects, too few to conclude."
    assert detection_verdict({}, "VAE error") == ""
    assert detection_verdict(areas | few, "VAE error").endswith(
        "GLAZE. Of 1 more the subjects are too few."
    )
