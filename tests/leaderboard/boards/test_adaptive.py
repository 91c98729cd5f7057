"""Tables 3 to 6 from numbers that can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impress_bench.leaderboard import write_boards

EMPTY = pd.DataFrame()
WEAK, STRONG = "glaze+consistency[weight=1]", "glaze+consistency[chain=ldm,weight=40]"


@pytest.fixture
def adaptive_cells(build_cells: Any) -> pd.DataFrame:
    return build_cells(
        {
            ("identity", "none"): [0.8, 1.0],
            ("glaze", "none"): [0.4, 0.6],
            ("glaze", "impress"): [0.7, 0.9],
            (STRONG, "none"): [0.5, 0.7],
            (STRONG, "impress"): [0.8, 0.8],
            (WEAK, "none"): [0.4, 0.4],
            (WEAK, "impress"): [0.6, 0.8],
            ("glaze+o-pgd", "none"): [0.3, 0.5],
            ("glaze+o-pgd", "impress"): [0.6, 0.6],
        }
    )


@pytest.fixture
def notes() -> pd.DataFrame:
    columns = ["task", "subject", "protection", "purifier", "image", "note", "value"]
    rows = [
        ("style-mimicry", f"artist-{i}", STRONG, "", "a", "consistency-share", value)
        for i, value in enumerate((0.4, 0.6))
    ]
    return pd.DataFrame(rows, columns=columns)


def grid(folder: Path, name: str, heading: str) -> list[list[str]]:
    """The cells of the grid under a heading."""
    text = (folder / "boards" / f"{name}.md").read_text(encoding="utf-8")
    part = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_3_sweeps_weights_in_their_order(
    adaptive_cells: Any, notes: Any, meta: Any, tmp_path: Path
) -> None:
    write_boards(adaptive_cells, EMPTY, EMPTY, meta, tmp_path, notes=notes)
    rows = grid(tmp_path, "table-3", "GLAZE")
    assert rows[0] == ["", "without", "γ = 1", "γ = 40"]
    assert rows[2] == ["CLIP top-3, Protected", "50.0 ± 14.1", "40.0 ± 0.0", "60.0 ± 14.1"]
    assert rows[3] == ["CLIP top-3, IMPRESS", "80.0 ± 14.1", "70.0 ± 14.1", "80.0 ± 0.0"]
    assert rows[4] == ["Share of the term in the loss", "", "", "50 %"]


def test_table_4_sets_with_beside_without(adaptive_cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(adaptive_cells, EMPTY, EMPTY, meta, tmp_path)
    rows = grid(tmp_path, "table-4", "GLAZE + Consistency [weight=1]")
    assert rows[2][1:] == ["", "Protected", "Purified", "Protected", "Purified"]
    assert rows[3][:3] == ["CLIP top-3", "90.0 ± 14.1", "50.0 ± 14.1"]
    assert rows[3][3:] == ["80.0 ± 14.1", "40.0 ± 0.0", "70.0 ± 14.1"]
    found = json.loads((tmp_path / "boards/table-4.json").read_text(encoding="utf-8"))
    lowered = [
        r["mean"]
        for r in found
        if r["table"] == "table-4-differences" and r["protection"] == f"glaze - {WEAK}"
        and r["purifier"] == "none"
    ]  # fmt: skip
    assert lowered == [pytest.approx(0.1)]


def test_what_an_adaptation_is_worth_after_the_purifier_is_the_primary_comparison(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    """Both differences of one sign in six subjects: p is 2 / 2^6 of each, neither adjusted."""
    meta["metrics"]["style-mimicry"][0]["primary"] = True
    base = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    shifts = {("glaze", "none"): 0.0, ("glaze", "impress"): 0.3}
    shifts |= {("glaze+o-pgd", "none"): 0.1, ("glaze+o-pgd", "impress"): 0.2}
    cells = build_cells({key: [one + shift for one in base] for key, shift in shifts.items()})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    text = (tmp_path / "boards" / "table-6.md").read_text(encoding="utf-8")
    assert "not adjusted: GLAZE, IMPRESS − GLAZE + O-PGD, IMPRESS. Secondary" in text
    assert "among themselves: the same before the purifier. " in text
    found = json.loads((tmp_path / "boards/table-6.json").read_text(encoding="utf-8"))
    p = {(r["protection"], r["purifier"]): r["p"] for r in found if r["p"] is not None}
    assert p == {("glaze - glaze+o-pgd", state): 2 / 2**6 for state in ("impress", "none")}


def test_table_6_brackets_the_variant_that_the_run_names(
    adaptive_cells: Any, meta: Any, tmp_path: Path
) -> None:
    write_boards(adaptive_cells, EMPTY, EMPTY, meta | {"adaptive": [STRONG]}, tmp_path)
    rows = grid(tmp_path, "table-6", "GLAZE + O-PGD")
    assert rows[3][4:] == ["40.0 ± 14.1 (60.0)", "60.0 ± 0.0 (80.0)"]
    write_boards(adaptive_cells, EMPTY, EMPTY, meta, tmp_path / "unnamed")
    assert "(60.0)" not in (tmp_path / "unnamed/boards/table-6.md").read_text(encoding="utf-8")


def test_table_5_has_no_clean_column(adaptive_cells: Any, meta: Any, tmp_path: Path) -> None:
    edits = adaptive_cells.assign(task="malicious-editing", metric="psnr")
    edits["value"] *= 10
    write_boards(edits, EMPTY, EMPTY, meta, tmp_path)
    rows = grid(tmp_path, "table-5", "GLAZE + Consistency [weight=1]")
    assert rows[3] == ["psnr", "5.00 ± 1.41", "8.00 ± 1.41", "4.00 ± 0.00", "7.00 ± 1.41"]
    assert not (tmp_path / "boards/table-4.md").exists()


def test_the_papers_figures_stand_below_ours(
    adaptive_cells: Any, meta: Any, tmp_path: Path
) -> None:
    write_boards(adaptive_cells, EMPTY, EMPTY, meta | {"paper": True}, tmp_path)
    theirs = grid(tmp_path, "table-3", "GLAZE")[4:6]
    assert [row[1:] for row in theirs] == [["", "42.5", "40.8"], ["", "85.6", "81.9"]]
    assert grid(tmp_path, "table-6", "GLAZE + O-PGD")[4][1:] == [
        "90.8", "42.5", "87.0", "48.0 (40.8)", "83.9 (81.9)",
    ]  # fmt: skip


def test_table_1_leaves_adapted_protections_to_the_others(
    adaptive_cells: Any, meta: Any, tmp_path: Path
) -> None:
    write_boards(adaptive_cells, EMPTY, EMPTY, meta, tmp_path)
    headings = [
        line
        for line in (tmp_path / "boards/table-1.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## ") and "comparisons" not in line
    ]
    assert headings == ["## GLAZE: 2 subjects", "## Controls and floors"]
