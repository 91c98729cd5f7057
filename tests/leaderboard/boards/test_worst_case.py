"""The worst case over purifiers: chosen on one seed, scored on another, noise alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impress_bench.leaderboard import write_boards

EMPTY = pd.DataFrame()


def board(folder: Path) -> tuple[str, dict[tuple[str, str], dict[str, Any]]]:
    found = json.loads((folder / "boards/worst-case.json").read_text(encoding="utf-8"))
    text = (folder / "boards/worst-case.md").read_text(encoding="utf-8")
    return text, {(r["table"], r["protection"]): r for r in found}


def test_the_purifier_is_chosen_on_one_seed_and_scored_on_another(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    """Lists are seeds. Artist 0 would choose impress and get 0.5; artist 1 jpeg and get 0.4."""
    cells = build_cells(
        {
            ("glaze", "none"): [[0.2, 0.9], [0.3, 0.9]],
            ("glaze", "jpeg"): [[0.5, 0.8], [0.7, 0.4]],
            ("glaze", "impress"): [[0.6, 0.5], [0.6, 0.6]],
            ("random-noise", "none"): [[0.7, 0.8], [0.7, 0.6]],
            ("random-noise", "impress"): [[0.6, 0.1], [0.8, 0.9]],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text, found = board(tmp_path)
    assert found["worst-case", "glaze"]["mean"] == pytest.approx(0.45)
    assert found["worst-case", "random-noise"]["mean"] == pytest.approx(0.85)
    survival = found["worst-case-survival", "random-noise - glaze"]
    assert survival["mean"] == pytest.approx(0.4)
    assert survival["n"] == 2
    line = next(line for line in text.splitlines() if line.startswith("| GLAZE"))
    assert "IMPRESS 1" in line
    assert "JPG 1" in line
    assert "| too few subjects |" in line
    assert "survive:" not in text


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "survives"), (0.5, "not shown to survive")])
def test_survival_needs_an_interval_beyond_zero(
    build_cells: Any, meta: Any, tmp_path: Path, shift: float, verdict: str
) -> None:
    cells = build_cells(
        {
            ("glaze", "none"): [[0.1, 0.10 + 0.01 * at] for at in range(6)],
            ("glaze", "impress"): [[0.2, 0.20 + shift + 0.01 * at] for at in range(6)],
            ("random-noise", "none"): [[0.7, 0.70 + 0.01 * at * (at % 2)] for at in range(6)],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text, found = board(tmp_path)
    low = found["worst-case-survival", "random-noise - glaze"]["low"]
    assert (low > 0) == (verdict == "survives")
    assert f"| {verdict}" in text


def test_a_purifier_that_some_subject_lacks_is_no_choice(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    cells = build_cells(
        {
            ("glaze", "none"): [[0.2, 0.3], [0.2, 0.3]],
            ("glaze", "resize"): [[0.9, 0.9], ("failed", "no memory")],
            ("glaze", "impress"): [[0.4, 0.5], [0.4, 0.5]],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    assert board(tmp_path)[1]["worst-case", "glaze"]["mean"] == pytest.approx(0.5)


def test_noise_has_no_more_choices_than_the_protection(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    """After `impress` noise gets 0.9, but that was not run on the adapted protection."""
    meta["metrics"][next(iter(meta["metrics"]))][0]["primary"] = True
    plain, adapted = "glaze", "glaze+consistency[weight=40]"
    cells = build_cells(
        {
            (plain, "none"): [[0.2, 0.2 + 0.01 * at] for at in range(6)],
            (plain, "jpeg"): [[0.2, 0.2 + 0.01 * at] for at in range(6)],
            (plain, "impress"): [[0.3, 0.3 + 0.02 * at] for at in range(6)],
            (adapted, "none"): [[0.2, 0.2 + 0.01 * at] for at in range(6)],
            (adapted, "jpeg"): [[0.3, 0.3 + 0.01 * at] for at in range(6)],
            ("random-noise", "none"): [[0.4, 0.5] for at in range(6)],
            ("random-noise", "impress"): [[0.9, 0.9] for at in range(6)],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text, found = board(tmp_path)
    gaps = [
        found["worst-case-survival", f"random-noise - {name}"]["mean"] for name in (plain, adapted)
    ]
    assert gaps == pytest.approx([0.9 - 0.35, 0.5 - 0.325])
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| GLAZE")]
    assert [line[4].strip() for line in lines] == ["3", "2"]
    assert "[weight=40] (2 choices)." in text


def test_clean_images_that_others_are_compared_with_have_no_worst_case(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    """Whoever has clean photos leaves them as they are, which has no score; after a purifier it
    would be a choice that nobody makes."""
    cells = build_cells(
        {
            ("identity", "impress"): [[0.8, 0.8], [0.8, 0.8]],
            ("glaze", "none"): [[0.2, 0.3], [0.2, 0.3]],
            ("glaze", "impress"): [[0.4, 0.5], [0.4, 0.5]],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text, found = board(tmp_path)
    assert ("worst-case", "identity") not in found
    assert "Clean images have no row" in text


def test_one_seed_is_told(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    cells = build_cells({("glaze", "none"): [0.2, 0.3], ("glaze", "impress"): [0.4, 0.5]})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text, found = board(tmp_path)
    assert "needs two seeds" in text
    assert not found
