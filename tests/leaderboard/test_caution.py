"""Boards of few subjects say that they show nothing yet, and which preset to run next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.leaderboard import Layout, write_boards
from impress_bench.leaderboard.caution import caution
from impress_bench.leaderboard.meta import BoardMeta

EMPTY = pd.DataFrame()


def test_a_task_is_named_once_whatever_its_targets(build_cells: Any, meta: Any) -> None:
    cells = build_cells({("glaze", "none"): [0.4] * 3})
    other = cells.assign(task="style-mimicry[target=other]")
    fewer = other[other["subject"] != "artist-2"]
    layout = Layout(BoardMeta.of(meta))
    for shown, sizes in ((other, "3 subjects"), (fewer, "2 subjects")):
        both = pd.concat([cells, shown])
        told = caution(both, layout, both["task"])
        assert told.startswith(f"> **This shows nothing yet** of Style mimicry ({sizes}). With")
    enough = build_cells({("glaze", "none"): [0.4] * 8})
    told = caution(pd.concat([enough, other]), layout, ["style-mimicry", other["task"].iloc[0]])
    assert "of Style mimicry [target=other] (3 subjects). With" in told


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        (1, "of Style mimicry (1 subject). One subject has no spread"),
        (5, "of Style mimicry (5 subjects). With fewer than 6 subjects"),
        (6, None),
    ],
)
def test_few_subjects(
    build_cells: Any, meta: Any, tmp_path: Path, subjects: int, said: str | None
) -> None:
    cells = build_cells({("glaze", name): [0.4] * subjects for name in ("none", "impress")})
    write_boards(cells, EMPTY, EMPTY, meta | {"next_preset": "paper"}, tmp_path)
    for name in ("table-1", "matrix-style-mimicry", "LEADERBOARD"):
        board = (tmp_path / f"boards/{name}.md").read_text(encoding="utf-8")
        assert ("shows nothing yet" in board) == (said is not None)
        assert said is None or said in board
        assert said is None or "run the preset `paper` next" in board


def test_a_board_is_judged_by_its_own_task(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    many = build_cells({("glaze", "none"): [0.4] * 6})
    one = build_cells({("glaze", "none"): [0.4]}).assign(task="malicious-editing")
    write_boards(pd.concat([many, one]), EMPTY, EMPTY, meta, tmp_path)
    found = {
        path.stem
        for path in tmp_path.glob("boards/*.md")
        if "shows nothing yet" in path.read_text(encoding="utf-8")
    }
    assert found == {"matrix-malicious-editing", "table-2", "LEADERBOARD"}


def test_a_shipped_preset_recommends_one_that_is_shipped() -> None:
    named = {name: load_preset(name).display.get("next_preset") for name in shipped_presets()}
    assert named["quick"] == "mini"
    assert {name for name in named.values() if name} <= set(named)
