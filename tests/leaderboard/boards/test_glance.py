"""The board at a glance: what a protection takes beyond noise, before and after the purifier."""

import pytest

from impress_bench.benchmark.metric import MetricInfo, Scale
from impress_bench.leaderboard.boards.glance import build
from impress_bench.leaderboard.layout import Layout, headline
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS

TASK = "style-mimicry"
BASE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
ROWS = {
    ("identity", "none"): [0.9] * 6,
    ("random-noise", "none"): [value + 0.3 for value in BASE],
    ("random-noise", "impress[steps=9]"): [value + 0.4 for value in BASE],
    ("glaze", "none"): BASE,
    ("glaze", "impress[steps=9]"): [value + (0.3, 0.5)[i % 2] for i, value in enumerate(BASE)],
    ("glaze", "jpeg"): [value + 0.1 for value in BASE],
    ("glaze", "half"): [0.99],  # not run for every subject: no candidate for the strongest
    ("control:zero", ""): [0.0] * 6,
}


def board(rows=ROWS, metric=None, **more):
    metric = metric or MetricInfo("score", "Score", True, primary=True)
    meta = BoardMeta(
        metrics={TASK: [MetricInfo("other", "Other", True), metric]},
        reference_protection="glaze",
        passes={"glaze": 438.4},
        **more,
    )
    cells = CELLS.frame(
        (TASK, f"artist-{i}", *condition, 0, metric.name, value, "done", None)
        for condition, values in rows.items()
        for i, value in enumerate(values)
    )
    moved = PROTECTIONS.frame(
        (TASK, f"artist-{i}", "glaze", "a", 0.06, 3.0, 0.1 * i, "done") for i in range(2)
    )
    return build(cells, moved, Layout(meta))


def test_rows_say_what_a_protection_takes_and_whether_that_survives():
    (block,) = board().blocks
    assert list(block.headers) == [
        "", "Visible", "Score", "Takes", "Survives impress[steps=9]", "p",
        "Strongest purifier", "Left after it", "Passes",
    ]  # fmt: skip
    assert block.rows[0] == ["identity", "", "0.900 ± 0.000", "", "", "", "", "", ""]
    glaze = block.rows[2]
    # Not the comparison that is tested: no mark.
    assert glaze[:4] == ["glaze", "0.050", "0.350 ± 0.187", "+0.300 [+0.300, +0.300]"]
    # Differences of -.1 and .1 by turns.
    assert glaze[4:6] == ["+0.000 [-0.115, +0.115]", "1.000"]
    assert glaze[6:] == ["impress[steps=9] 0.750", glaze[4], "438"]
    assert len(block.rows) == 3, "controls have no row"


def test_the_headline_purifier_is_a_role_and_the_reference_one_where_it_was_not_run():
    """Under `auto` GLAZE takes .2 beyond its noise, under none .3, under IMPRESS 0."""
    auto = {("random-noise", "auto"): [value + 0.2 for value in BASE], ("glaze", "auto"): BASE}
    titled = {"roles": {"headline": "auto"}, "titles": {"auto": "Auto", "impress": "IMPRESS"}}
    shown = board({**ROWS, **auto}, **titled)
    assert shown.blocks[0].headers[4] == "Survives Auto"
    assert shown.blocks[0].rows[2][4] == "+0.200 [+0.200, +0.200] *"
    assert "Survives Auto: the same difference when Auto" in shown.text
    without = board(**titled)
    assert without.blocks[0].headers[4] == "Survives IMPRESS [steps=9]"
    assert without.blocks[0].rows[2][4] == "+0.000 [-0.115, +0.115]"
    assert "Survives IMPRESS: the same difference when IMPRESS" in without.text


def test_notes_say_what_the_score_and_the_purifiers_named_are():
    scale = Scale("other", "untrained", "own", higher_is_better=False, squared=True)
    score = MetricInfo("score", "Score", True, primary=True, scale=scale)
    about = {"purifier auto": "Tries several.", "purifier impress": "Descends.",
             "purifier jpeg": "Compresses.", "protection glaze": "Not asked for."}  # fmt: skip
    titles = {"auto": "Auto", "control:own": "The artist's own works"}
    auto = {("random-noise", "auto"): BASE, ("glaze", "auto"): BASE}
    best = {("glaze", "jpeg>impress"): [0.95] * 6}
    (block,) = board(
        ROWS | auto | best, score, roles={"headline": "auto"}, titles=titles, about=about
    ).blocks
    assert block.headers[2:7] == ["Score [1]", "Takes", "Survives Auto [2]", "p",
                                  "Strongest purifier [3] [4]"]  # fmt: skip
    assert block.footnotes.texts == [
        "Score: the root of Other, scaled so that the control “Untrained” has 0 and “The artist's"
        " own works” 1; below 0 the exploit fares worse than with “Untrained”.",
        "Auto: Tries several.",
        "jpeg: Compresses.",
        "impress: Descends.",
    ]


def test_the_clean_images_that_others_are_compared_with_are_no_gap():
    """Edits are: nobody runs the clean photo without a purifier against itself."""
    rows = {key: values for key, values in ROWS.items() if key != ("identity", "none")}
    (block,) = board({**rows, ("identity", "jpeg"): [0.8] * 6}).blocks
    assert block.rows[0][:3] == ["identity", "", "·"]
    assert block.footnotes.texts == []


def test_directions_turn_with_the_metric():
    lower = MetricInfo("distance", "Distance", False, primary=True)
    turned = {key: [1 - value for value in values] for key, values in ROWS.items()}
    rows = board(turned, lower).blocks[0].rows
    assert rows[2][3] == "+0.300 [+0.300, +0.300]"
    assert rows[2][6] == "impress[steps=9] 0.250"


def test_few_subjects_are_not_marked_and_noise_of_others_is_not_matched():
    auto = dict(zip(PURIFIED, ([value + 0.2 for value in BASE], BASE), strict=True))
    few = {key: values[:5] for key, values in (ROWS | auto).items()}
    assert board(few, **AUTO).blocks[0].rows[2][4:6] == ["+0.200 [+0.200, +0.200]", ".062"]
    unlike = {(key[0].replace("noise", "noise[match=mist]"), key[1]): v for key, v in ROWS.items()}
    assert board(unlike).blocks[0].rows[2][3] == "noise not run"
    unpurified = {key: ROWS[key] for key in ROWS if key != ("glaze", "impress[steps=9]")}
    assert board(unpurified).blocks[0].rows[2][4] == "not run"


def test_without_a_protection_or_a_direction_there_is_no_board():
    assert board({("identity", "none"): [0.9] * 6}) is None
    assert board(metric=MetricInfo("score", "Score", None)) is None


@pytest.mark.parametrize(
    ("metrics", "chosen"),
    [
        ([MetricInfo("a", "A", True), MetricInfo("b", "B", False, primary=True)], "b"),
        ([MetricInfo("a", "A", None), MetricInfo("b", "B", False)], "b"),
    ],
)
def test_the_headline_is_the_primary_metric(metrics, chosen):
    assert headline(metrics).name == chosen


AUTO = {"roles": {"headline": "auto"}, "titles": {"auto": "Auto", "glaze": "GLAZE"}}
PURIFIED = ("random-noise", "auto"), ("glaze", "auto")


def two(subjects, spoiled=0.2):
    """GLAZE and Mist, each with noise of its own: Auto leaves .2 of both in every subject, but for
    the last one of Mist's."""
    base = [0.1 * i for i in range(subjects)]
    rows = {}
    for name, noise in (("glaze", "random-noise"), ("mist", "random-noise[match=mist]")):
        last = spoiled if name == "mist" else 0.2
        left = [value + 0.2 + 0.01 * i for i, value in enumerate(base)]
        rows |= {(name, "none"): base, (name, "auto"): base, (noise, "none"): left}
        rows[noise, "auto"] = [*left[:-1], base[-1] + last]
    return board(rows, **AUTO)


def test_the_test_of_what_survives_is_adjusted_for_all_that_have_one():
    """All of one sign: the least p of n subjects, 2 / 2^n, doubled for two protections."""
    shown = two(subjects=8)
    assert [row[5] for row in shown.blocks[0].rows] == ["", "", ".016", ".016"]
    assert [row[4][-1] for row in shown.blocks[0].rows[2:]] == ["*", "*"]
    assert shown.blocks[0].text.startswith("Score: GLAZE is shown to survive Auto.")
    assert "Also shown to survive: mist" in shown.blocks[0].text
    p = {(one["protection"], one["purifier"]): one["p"] for one in shown.records}
    assert p["random-noise - glaze", "auto"] == 2 * 2 / 2**8
    assert p["random-noise - glaze", "none"] is None
    # Mist's differences are .20, .21, ... .26 and -.205. As far from 0 as their sum are those with
    # the last turned, with the last and the first turned, and the mirror images: 6 of 2^8.
    turned = [row[5] for row in two(subjects=8, spoiled=-0.205).blocks[0].rows[2:]]
    assert turned == [".016", ".023"]


def test_where_the_interval_lies_beyond_zero_and_p_does_not_it_is_said():
    (block,) = two(subjects=6).blocks
    assert [row[5] for row in block.rows[2:]] == [".062", ".062"]
    assert not any(row[4].endswith("*") for row in block.rows)
    assert block.text.startswith(
        "Score: 6 subjects cannot show which of 2 protections survive Auto: no p below .062 is"
        " possible."
    )
    assert block.text.endswith(
        "The interval lies beyond 0 but p is not below .05 for GLAZE (0.217 [0.200, 0.234], p ="
        " .062) and mist (0.217 [0.200, 0.234], p = .062)."
    )


@pytest.mark.parametrize(
    ("left", "subjects", "said"),
    [
        (
            [0.2] * 6,
            6,
            "Score, in dB: GLAZE is shown to survive Auto. It takes 0.300 [0.300, 0.300] more than"
            " noise, and after Auto 0.200 [0.200, 0.200] remain (6 subjects, LPIPS 0.050, 438"
            " passes per image). After the strongest purifier of its row, picked after the run and"
            " not tested, nothing is shown to be left of GLAZE (+0.000 [-0.115, +0.115] after"
            " impress[steps=9]).",
        ),
        (
            [0.2, -0.2] * 3,
            6,
            "Score, in dB: No protection is shown to survive Auto. Unpurified, more than noise is"
            " taken by GLAZE (0.300 [0.300, 0.300]).",
        ),
        (
            [0.2] * 6,
            5,
            "Score, in dB: 5 subjects, too few to conclude which protections survive Auto: run"
            " more subjects next.",
        ),
    ],
)
def test_a_sentence_says_what_holds_best_how_sure_and_at_what_cost(left, subjects, said):
    noise = [value + more for value, more in zip(BASE, left, strict=True)]
    rows = ROWS | dict(zip(PURIFIED, (noise, BASE), strict=True))
    rows = {key: values[:subjects] for key, values in rows.items()}
    (block,) = board(rows, MetricInfo("score", "Score", True, "dB", primary=True), **AUTO).blocks
    assert block.text == said
    assert block.heading.endswith("Score in dB, high is good for the exploit")


def test_what_was_not_run_for_every_subject_says_how_many():
    rows = ROWS | {("glaze", "impress[steps=9]"): [0.5, 0.6], ("glaze", "jpeg"): [0.1, 0.2]}
    (block,) = board({key: rows[key] for key in rows if key[1] != "half"}).blocks
    assert block.rows[2][4].endswith("(n=2)")
    assert block.rows[2][6].endswith("(n=2)")


def test_without_its_headline_purifiers_a_run_says_nothing_of_survival():
    rows = {key: values for key, values in ROWS.items() if "impress" not in key[1]}
    shown = board(rows)
    assert "Survives" not in shown.text + " ".join(shown.blocks[0].headers)
    assert len(set(map(len, (shown.blocks[0].headers, *shown.blocks[0].rows)))) == 1
