"""The lines that a run ends with: what was run, what survives, what is given back, the flags."""

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.leaderboard.meta import BoardMeta, Roles
from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, NOTES, PROTECTIONS
from impress_bench.leaderboard.summary import WIDTH, summary

TASKS = ("style-mimicry", "malicious-editing", "img2img-editing", "another")
NOISE, GLAZE, MIST = "random-noise", "glaze", "mist"
#: Scores by protection and purifier, the same for each subject but for a wave.
ROWS = {
    (NOISE, "none"): 0.9, (NOISE, "auto"): 0.9, (NOISE, "impress"): 0.9,
    (GLAZE, "none"): 0.4, (GLAZE, "auto"): 0.7, (GLAZE, "impress"): 0.6,
}  # fmt: skip
WAVE = (0.25, -0.25)


def told(rows, subjects=6, waves=(), tasks=TASKS[:1], metric=None, **meta):
    """The lines of tables whose rows in `waves` go up and down around their score."""
    metric = metric or MetricInfo("score", "Score", True, primary=True)
    cells = CELLS.frame(
        (task, f"s-{i}", *key, 0, metric.name, value + WAVE[i % 2] * (key in waves), "done", None)
        for task in tasks
        for key, value in rows.items()
        for i in range(subjects)
    )
    given = {
        "preset": "tiny", "model": "atelier", "model_is_miniature": True,
        "titles": {"glaze": "GLAZE", "impress": "IMPRESS", "auto": "Auto", "another": "Another"},
        "reference_protection": GLAZE, "roles": Roles(headline="auto"),
        "metrics": {task: [metric] for task in TASKS}, **meta,
    }  # fmt: skip
    empty = (PROTECTIONS.frame(), INSPECTIONS.frame(), NOTES.frame())
    return summary(cells, *empty, BoardMeta.of(given))


def text(*arguments, **more):
    """All but what was run, and the flags, as one text."""
    first, *lines, flags = told(*arguments, **more)
    assert first == "Preset tiny, model atelier (a miniature)."
    assert flags.startswith("Flags: ")
    return " ".join(line.strip() for line in lines)


def test_what_is_left_after_the_headline_purifier_comes_first():
    assert text(ROWS) == (
        "style-mimicry, 6 subjects, Score: GLAZE takes 0.500 [0.500, 0.500] more than noise; after"
        " Auto 0.200 [0.200, 0.200] remain (p = .031); IMPRESS gives 0.200 [0.200, 0.200] back."
    )
    lower = MetricInfo("score", "Score", False, SHARE, primary=True)
    turned = {key: 1 - value for key, value in ROWS.items()}
    assert "Score in points: GLAZE takes 50.0 [50.0, 50.0] more" in text(turned, metric=lower)


def test_what_is_not_shown_is_said_so():
    waves = [(GLAZE, "auto"), (GLAZE, "impress"), (GLAZE, "none")]
    flat = ROWS | {(GLAZE, "none"): 0.9, (GLAZE, "auto"): 0.9, (GLAZE, "impress"): 0.9}
    told = text(flat, waves=waves)
    assert "GLAZE is not shown to take more than noise (+0.000 [-0.287, +0.287])" in told
    assert "after Auto nothing is shown to remain (+0.000 [-0.287, +0.287])" in told
    assert "IMPRESS is not shown to give anything back" in text(flat, waves=waves[:2])
    worse = ROWS | {(GLAZE, "none"): 1.0, (GLAZE, "auto"): 1.0, (GLAZE, "impress"): 0.8}
    told = text(worse)
    assert "GLAZE takes 0.100 [0.100, 0.100] less than noise" in told
    assert "after Auto it takes 0.100 [0.100, 0.100] less than noise" in told
    assert "IMPRESS takes another 0.200 [0.200, 0.200]." in told


def test_of_several_the_one_that_keeps_most_is_named_and_the_survivors_are_counted():
    noise = f"{NOISE}[match={MIST}]"
    more = {(noise, state): 0.9 for state in ("none", "auto")}
    rows = ROWS | more | {(MIST, "none"): 0.2, (MIST, "auto"): 0.9}
    told = text(rows, waves=[(MIST, "auto")], subjects=7)
    assert "Score: GLAZE takes" in told
    assert told.endswith(" Shown to survive Auto: 1 of 2.")
    # Of six subjects and two protections no p is below .05, wherever intervals lie.
    few = text(rows, waves=[(MIST, "auto")])
    assert "remain (p = .062);" in few
    assert few.endswith(" Shown to survive Auto: 0 of 2.")
    unpurified = {key: value for key, value in rows.items() if key[1] == "none"}
    told = text(unpurified)
    assert "Score: mist takes 0.700 [0.700, 0.700] more than noise." in told
    assert told.endswith(" Shown to protect: 2 of 2.")


@pytest.mark.parametrize(
    ("preset", "advice"), [("mini", "the preset `mini`"), ("", "more subjects")]
)
def test_of_few_subjects_it_says_what_to_run_next(preset, advice):
    told = text(ROWS, subjects=5, next_preset=preset)
    assert told == f"style-mimicry, 5 subjects, Score: too few to conclude; run {advice} next."


def test_without_noise_nothing_is_concluded_and_without_protections_nothing_is_said():
    alone = {key: value for key, value in ROWS.items() if key[0] != NOISE}
    assert "no protection here has noise" in text(alone)
    assert text({(NOISE, "none"): 0.9}) == ""
    empty = (table.frame() for table in (CELLS, PROTECTIONS, INSPECTIONS, NOTES))
    (first,) = summary(*empty, BoardMeta())
    assert first == "Preset –."


@pytest.mark.parametrize("tasks", range(1, 5))
def test_it_is_never_longer_than_eight_lines(tasks):
    """With names that no line has room for, too."""
    long = f"{GLAZE}+consistency[weight=40]+o-pgd+surrogates[models=atelier-second atelier-flow]"
    rows = {(name if name == NOISE else long, state): v for (name, state), v in ROWS.items()}
    lines = told(rows, tasks=TASKS[:tasks])
    assert len(lines) <= 8
    assert max(map(len, lines)) <= WIDTH
    assert ("1 more task on the board glance." in lines[0]) == (tasks == 4)
    assert sum("6 subjects, Score: " in line for line in lines) == min(tasks, 3)
    assert lines[-1].startswith("Flags: white box only")


def test_models_beside_the_run_s_own_are_counted():
    tasks = ["style-mimicry", "style-mimicry[target=second]", "style-mimicry[target=third]"]
    assert "model atelier and 2 more (" in told(ROWS, tasks=tasks)[0]
