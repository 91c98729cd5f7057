"""The transfer board: what is made on one model and met on another."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS

EMPTY = pd.DataFrame()
HERE, THERE = "style-mimicry", "style-mimicry[target=org/second]"
MADE_THERE = "glaze[surrogate=org/second]"

#: Means by task, protection and purifier; an artist more is 0.01 more.
MEANS = {
    HERE: {
        ("identity", "none"): 0.9, ("random-noise", "none"): 0.8, ("random-noise", "impress"): 0.7,
        ("glaze", "none"): 0.2, ("glaze", "jpeg"): 0.4, ("glaze", "impress"): 0.6,
        (MADE_THERE, "none"): 0.8, (MADE_THERE, "impress"): 0.7,
    },
    THERE: {
        ("identity", "none"): 0.7, ("random-noise", "none"): 0.7, ("random-noise", "jpeg"): 0.7,
        ("glaze", "none"): 0.65, ("glaze", "jpeg"): 0.68,
        (MADE_THERE, "none"): 0.1, (MADE_THERE, "jpeg"): 0.3,
    },
}  # fmt: skip


@pytest.fixture
def written(meta: Any, tmp_path: Any) -> Any:
    def write(means: dict[str, dict[tuple[str, str], float]]) -> Any:
        rows = [
            (task, f"artist-{i}", *condition, 0, "clip-top3", mean + 0.01 * i, "done", None)
            for task, conditions in means.items()
            for condition, mean in conditions.items()
            for i in range(6)
        ]
        metrics = dict.fromkeys(means, meta["metrics"][HERE])
        given = {**meta, "model": "first", "metrics": metrics, "reference_protection": "glaze"}
        moved = [
            (task, "artist-0", name, "a", 0.06, 1.0, 0.05, "done")
            for task in means
            for name in ("glaze", MADE_THERE)
        ]
        write_boards(CELLS.frame(rows), PROTECTIONS.frame(moved), EMPTY, given, tmp_path)
        return tmp_path / "boards"

    return write


def test_rows_are_made_on_and_columns_met_on(written: Any) -> None:
    folder = written(MEANS)
    found = {
        (one["table"], one["task"], one["protection"].removeprefix("random-noise - ")): one
        for one in json.loads((folder / "transfer.json").read_text())
    }
    taken = {key[1:]: round(one["mean"], 6) for key, one in found.items() if key[0] == "transfer"}
    assert taken == {
        (HERE, "glaze"): 0.6, (HERE, MADE_THERE): 0.0,
        (THERE, "glaze"): 0.05, (THERE, MADE_THERE): 0.6,
    }  # fmt: skip
    text = (folder / "transfer.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| GLAZE")]
    assert " first | white box" in lines[0]
    assert "white box: +60.0" in lines[0]
    assert lines[0].count("white box") == 1
    assert " *" not in "".join(lines), "none of these is tested"
    assert " org/second | " in lines[1]
    assert "Met on first" in text
    assert "Met on org/second" in text


def test_what_is_made_on_two_models_is_white_box_on_both(written: Any) -> None:
    means = {task: dict(rows) for task, rows in MEANS.items()}
    both = "glaze+surrogates[models=org/second third]"
    for rows in means.values():
        rows[both, "none"] = 0.3
    text = (written(means) / "transfer.md").read_text().partition("as published")[2]
    line = next(line for line in text.splitlines() if "first, org/second, third" in line)
    assert line.count("white box") == 2


def test_the_worst_case_is_after_the_purifier_that_serves_best(written: Any) -> None:
    folder = written(MEANS)
    worst = {
        (one["task"], one["protection"].removeprefix("random-noise - ")): one
        for one in json.loads((folder / "transfer.json").read_text())
        if one["table"] == "transfer-worst"
    }
    assert worst[HERE, "glaze"]["purifier"] == "impress"
    assert worst[HERE, "glaze"]["mean"] == pytest.approx(0.1)
    assert worst[HERE, MADE_THERE]["purifier"] == "none"
    assert worst[THERE, MADE_THERE]["purifier"] == "jpeg"
    assert worst[THERE, MADE_THERE]["mean"] == pytest.approx(0.4)


def test_a_missing_noise_is_no_figure(written: Any) -> None:
    means = {task: dict(rows) for task, rows in MEANS.items()}
    del means[THERE]["random-noise", "jpeg"]
    text = (written(means) / "transfer.md").read_text()
    worst = text.partition("worst case over purifiers")[2]
    line = next(line for line in worst.splitlines() if line.startswith("| GLAZE [surrogate"))
    assert line.rstrip("| ").endswith("·")


def test_one_target_is_no_transfer(written: Any) -> None:
    folder = written({HERE: MEANS[HERE]})
    assert not (folder / "transfer.json").exists()


def test_a_target_by_its_path_makes_a_file_name(written: Any) -> None:
    folder = written(MEANS)
    assert (folder / "matrix-style-mimicry-target-org-second.md").is_file()
    assert (folder.parent / "figures" / "tradeoff-style-mimicry-target-org-second.png").is_file()
