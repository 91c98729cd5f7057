"""`run` from Python: what it may be told instead of the preset's values, and what it returns."""

from __future__ import annotations

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.config.selection import select
from impress_bench.benchmark.harness.runs.run import run

BLOCKS = """
[[matrix]]
protections = ["clean"]
purifiers = ["keep", "smooth"]
[[matrix]]
protections = ["shift"]
purifiers = ["keep"]
"""


def chosen(cells):
    return set(zip(cells["protection"], cells["purifier"], strict=True))


def test_naming_rows_drops_the_matrix_as_flags_do(bench, preset_file, tmp_path):
    preset_file.write_text(preset_file.read_text() + BLOCKS)
    result = run(
        preset_file,
        tmp_path / "run",
        bench.store,
        workers=1,
        protections="clean,loud",
        purifiers=["smooth"],
        subjects=1,
        seeds=3,
    )
    rows = {row for row in chosen(result.cells) if not row[0].startswith("control:")}
    assert rows == {("clean", "smooth"), ("loud", "smooth")}
    assert set(result.cells["subject"]) == {"ada"}
    assert set(result.cells["seed"]) == {3}

    board = result.board("matrix-copying")
    assert board.name == "matrix-copying"
    assert str(board) == board._repr_markdown_() == board.path.read_text()
    assert {"protection", "purifier", "metric", "mean", "state"} <= set(board.frame)
    loud = board.frame[board.frame["protection"] == "loud"]
    assert set(loud["purifier"]) == {"smooth"}
    with pytest.raises(ConfigError, match=r"Unknown board 'matrix'\. Did you mean: matrix-copying"):
        result.board("matrix")
    with pytest.raises(ConfigError, match="a page without a table"):
        _ = result.board("LEADERBOARD").frame
    assert result.figures
    assert all(path.is_file() and path.suffix == ".png" for path in result.figures)


@pytest.mark.parametrize(
    ("selection", "same"),
    [
        ({"protections": "clean,shift[rounds=2]"}, {"protections": ["clean", "shift[rounds=2]"]}),
        ({"purifiers": ("keep",)}, {"purifiers": ["keep"]}),
        ({"subjects": "ada"}, {"subjects": ["ada"]}),
        ({"subjects": {"copying": 1}}, {"subjects": {"copying": 1}}),
        ({"seeds": range(2)}, {"seeds": [0, 1]}),
        ({"device": "cuda"}, {"device": "cuda"}),
        ({"tasks": None, "subjects": 1}, {"subjects": 1}),
    ],
)
def test_lists_may_be_written_in_several_ways(preset_file, selection, same):
    preset = load_preset(preset_file)
    assert select(preset, **selection).model_dump() == preset.override(**same).model_dump()


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        ({"protections": [object()]}, "protections: <object .* is no text"),
        ({"purifiers": "keep["}, "purifiers: .*bracket"),
        ({"seeds": -1}, "seeds: .*greater than or equal to 0"),
        ({"subjects": 0}, "subjects: "),
        ({"tasks": []}, "tasks: .*at least 1"),
    ],
)
def test_a_wrong_value_is_blamed_on_its_argument(preset_file, selection, complaint):
    with pytest.raises(ConfigError, match=f"^{complaint}"):
        select(load_preset(preset_file), **selection)


def test_an_unknown_argument_is_refused(preset_file):
    with pytest.raises(TypeError, match="'protection'"):
        run(preset_file, protection="clean")


def test_nothing_chosen_is_the_preset_itself(preset_file):
    preset = load_preset(preset_file)
    assert select(preset, protections=None) is preset
