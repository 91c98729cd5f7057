"""Boards of a run worked out by hand: layout, states, and what happens at the edges."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from impress_bench.leaderboard import write_boards

FIELDS = "table task protection purifier metric n mean std low high p higher_is_better state reason"
EMPTY = pd.DataFrame()


def records(folder: Path, board: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = json.loads((folder / "boards" / f"{board}.json").read_text(encoding="utf-8"))
    return {(r["table"], r["protection"], r["purifier"]): r for r in found}


def text(folder: Path, board: str) -> str:
    return (folder / "boards" / f"{board}.md").read_text(encoding="utf-8")


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_table_1_has_the_papers_layout(cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    board = text(tmp_path, "table-1")
    grid = rows(board)
    assert grid[0][:5] == ["Metric", "Clean", "Matched noise", "Protected", "Post-processed"]
    assert [cell for cell in grid[2] if cell] == ["JPG", "Resize", "slow", "IMPRESS"]
    assert grid[3] == [
        "CLIP top-3",
        "80.0 ± 10.0",
        "70.0 ± 0.0",
        "40.0 ± 10.0",
        "50.0 ± 10.0",
        "55.0 ± 7.1 (n=2) [1]",
        "timeout [2]",
        "70.0 ± 10.0",
    ]
    assert "- [1] 1 of 3 failed: resize: needs \\| a &lt;square>\n- [2] ran past 60 s\n" in board
    assert "| Chance (by construction, not measured) |         25.0 |" in board
    assert "| No fine-tuning                         |  20.0 ± 10.0 |" in board
    assert "| Clean, JPG                             |   70.0 ± 0.0 |" in board


def test_comparisons_are_paired(cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    board = text(tmp_path, "table-1")
    assert ["Clean − Protected", "+40.0 [+40.0, +40.0]", "3"] in rows(board)
    assert ["Matched noise − Protected", "+30.0 [+5.2, +54.8]", "3"] in rows(board)
    assert ["IMPRESS − JPG", "+20.0 [+20.0, +20.0]", "3"] in rows(board)
    assert ["IMPRESS − Resize", "+20.0 [+20.0, +20.0]", "2"] in rows(board)
    assert ["Recovered share, IMPRESS", "75.0", "3"] in rows(board)
    assert ["Recovered share, slow", "–", "0"] in rows(board)
    found = records(tmp_path, "table-1")
    share = found["table-1-recovered-share", "glaze", "impress"]
    assert (share["n"], share["mean"], share["std"], share["state"]) == (3, 0.75, None, "done")
    lacking = found["table-1-differences", "glaze", "impress - resize"]
    assert (lacking["n"], lacking["mean"], lacking["state"]) == (2, 0.2, "failed")
    assert found["table-1-differences", "random-noise - glaze", "none"]["mean"] == 0.3


def test_the_primary_metric_is_tested_and_marked(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    meta["metrics"][next(iter(meta["metrics"]))][0]["primary"] = True
    values = [0.3, 0.35, 0.4, 0.3, 0.42, 0.5, 0.31, 0.6]
    conditions = {
        ("glaze", "none"): values,
        ("identity", "none"): [value + 0.3 for value in values],
        ("random-noise", "none"): [value + 0.2 + value / 10 for value in values],
        ("random-noise[match=mist]", "none"): [value + 0.1 for value in values],
        ("glaze", "jpeg"): [value + (-1) ** i * 0.1 for i, value in enumerate(values)],
        ("glaze", "impress"): [value + 0.2 for value in values],
        # All of one sign, but so unlike that the interval holds 0.
        ("glaze", "resize"): [values[0] + 0.65, *(value + 0.01 for value in values[1:])],
    }
    write_boards(build_cells(conditions), EMPTY, EMPTY, meta, tmp_path / "eight")
    board = text(tmp_path / "eight", "table-1")
    # 2 of 2^8 patterns where all have one sign: .0078 alone for IMPRESS, which is the primary
    # comparison, and times 3 and 2 for the others, which Holm does not lower.
    tested = {row[0]: row[-2] for row in rows(board) if " − Protected" in row[0]}
    assert tested == {
        "Clean − Protected": "",
        "Matched noise − Protected": ".023 *",
        "Noise matched to mist − Protected": "",
        "JPG − Protected": "1.000",
        "IMPRESS − Protected": ".008 *",
        "Resize − Protected": ".023",
        "slow − Protected": "",
    }
    assert "Conclusions rest on one metric: CLIP top-3." in board
    found = records(tmp_path / "eight", "table-1")["table-1-differences", "glaze", "impress - none"]
    assert found["p"] == 2 / 2**8
    few = {key: numbers[:5] for key, numbers in conditions.items()}
    write_boards(build_cells(few), EMPTY, EMPTY, meta, tmp_path / "five")
    marks = [row[-2] for row in rows(text(tmp_path / "five", "table-1")) if "Protected" in row[0]]
    assert ".062" in marks
    assert not any("*" in mark for mark in marks)


def test_records_name_what_does_not_exist(cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    found = records(tmp_path, "table-1")
    assert all(list(record) == FIELDS.split() for record in found.values())
    slow = found["table-1", "glaze", "slow"]
    assert (slow["n"], slow["state"], slow["reason"]) == (0, "timeout", "ran past 60 s")
    assert {slow[name] for name in ("mean", "std", "low", "high")} == {None}
    partial = found["table-1", "glaze", "resize"]
    assert (partial["n"], partial["mean"], partial["state"]) == (2, 0.55, "failed")


def test_csv_is_the_json(cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    with (tmp_path / "boards" / "table-1.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    found = json.loads((tmp_path / "boards" / "table-1.json").read_text(encoding="utf-8"))
    assert lines == [{k: "" if v is None else str(v) for k, v in r.items()} for r in found]


def test_equal_results_are_equal_bytes(
    cells: Any, protections: Any, inspections: Any, meta: Any, tmp_path: Path
) -> None:
    first = write_boards(cells, protections, inspections, meta, tmp_path / "a")
    mixed = [f.sample(frac=1, random_state=7) for f in (cells, protections, inspections)]
    second = write_boards(*mixed, meta, tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
        assert one.suffix == ".png" or one.read_bytes().endswith(b"\n")
    assert {p.name for p in (tmp_path / "a/boards").iterdir()} == {
        p.name for p in first if p.suffix != ".png"
    }


def test_missing_subjects_seeds_and_purifiers(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    cells = build_cells(
        {
            ("identity", "none"): [0.8, 0.6],
            ("glaze", "none"): [[0.4, ("missing", None)], ("over-budget", "linf 9/255")],
            ("glaze", "jpeg"): [0.5],
            ("glaze", "resize"): [[0.5, 0.6]],
        }
    )
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    found = records(tmp_path, "table-1")
    assert found["table-1", "glaze", "resize"]["reason"] == "2 of 4 missing: not run"
    glaze = found["table-1", "glaze", "none"]
    assert (glaze["n"], glaze["mean"], glaze["state"]) == (1, 0.4, "over-budget")
    assert glaze["reason"] == "1 of 3 over-budget: linf 9/255; 1 of 3 missing"
    jpeg = found["table-1", "glaze", "jpeg"]
    assert (jpeg["n"], jpeg["state"]) == (1, "missing")
    assert jpeg["reason"] == "1 of 2 missing: not run"
    impress = found["table-1", "glaze", "impress"]
    assert (impress["n"], impress["mean"], impress["state"]) == (0, None, "missing")
    write_boards(cells.iloc[::-1], EMPTY, EMPTY, meta, tmp_path / "reversed")
    assert records(tmp_path / "reversed", "table-1") == found
    assert "over-budget" in text(tmp_path, "matrix-style-mimicry")
    assert " · " in text(tmp_path, "matrix-style-mimicry")


def test_a_cell_that_ended_before_scoring_counts_for_every_metric(
    cells: Any, meta: Any, tmp_path: Path
) -> None:
    broken = cells["purifier"] == "slow"
    cells.loc[broken, "metric"] = None
    meta["metrics"]["style-mimicry"].append({"name": "second-top3"})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    found = json.loads((tmp_path / "boards/table-1.json").read_text(encoding="utf-8"))
    slow = [r for r in found if (r["table"], r["purifier"]) == ("table-1", "slow")]
    assert {r["metric"]: r["state"] for r in slow} == {
        "clip-top3": "timeout",
        "second-top3": "timeout",
    }


def test_a_value_that_is_no_number_is_a_failure(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    cells = build_cells({("glaze", "none"): [float("nan"), float("inf")]})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    record = records(tmp_path, "table-1")["table-1", "glaze", "none"]
    assert (record["n"], record["mean"], record["state"]) == (0, None, "failed")
    assert record["reason"] == "the value is inf; the value is nan"


def test_one_subject_shows_no_spread(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    cells = build_cells({("identity", "none"): [0.8], ("glaze", "none"): [[0.3, 0.5]]})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    assert rows(text(tmp_path, "table-1"))[3][1:3] == ["80.0", "40.0"]
    assert ["Clean − Protected", "+40.0", "1"] in rows(text(tmp_path, "table-1"))
    record = records(tmp_path, "table-1")["table-1", "glaze", "none"]
    assert (record["n"], record["mean"]) == (1, 0.4)
    assert (record["std"], record["low"], record["high"]) == (None, None, None)


def test_renamed_plugins_give_the_same_numbers(cells: Any, meta: Any, tmp_path: Path) -> None:
    """Law 4: names are data."""
    names = {"identity": "aa", "random-noise": "bb", "glaze": "cc", "none": "dd", "jpeg": "ee"}
    names |= {"impress": "ff", "resize": "gg", "slow": "hh"}
    renamed = cells.replace({"protection": names, "purifier": names})
    other = meta | {
        "protections": [names[name] for name in meta["protections"]],
        "purifiers": [names[name] for name in meta["purifiers"]],
        "reference_protection": "cc",
        "roles": {"clean": "aa", "noise": ["bb"], "no_purifier": "dd", "purifier": "ff"},
    }
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path / "a")
    write_boards(renamed, EMPTY, EMPTY, other, tmp_path / "b")

    def numbers(folder: str) -> list[tuple[Any, ...]]:
        found = records(tmp_path / folder, "table-1").values()
        keys = ("table", "n", "mean", "std", "low", "high", "state", "reason")
        return sorted(tuple(map(str, (r[key] for key in keys))) for r in found)

    assert numbers("a") == numbers("b")
    assert rows(text(tmp_path / "b", "table-1"))[3] == rows(text(tmp_path / "a", "table-1"))[3]


def test_unknown_plugins_get_their_own_columns(build_cells: Any, tmp_path: Path) -> None:
    cells = build_cells(
        {
            ("identity", "none"): [0.8, 0.8],
            ("my-cloak+consistency[weight=1]", "none"): [0.4, 0.4],
            ("my-cloak+consistency[weight=1]", "my-purifier"): [0.5, 0.5],
            ("my-cloak+consistency[weight=1]", "jpeg[quality=15]"): [0.6, 0.6],
        }
    )
    write_boards(cells, EMPTY, EMPTY, {}, tmp_path)
    board = text(tmp_path, "table-1")
    assert "## my-cloak + consistency[weight=1]: 2 subjects" in board
    assert rows(board)[2][-2:] == ["jpeg[quality=15]", "my-purifier"]
    assert rows(board)[3] == ["clip-top3"] + [f"{v:.3f} ± 0.000" for v in (0.8, 0.4, 0.6, 0.5)]


def test_noise_says_what_it_is_matched_to(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    cells = build_cells({(name, "none"): [0.5, 0.6] for name in ("random-noise", "mist", "glaze")})
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    heads = [row[1] for row in rows(text(tmp_path, "table-1")) if row[0] == "Metric"]
    assert heads == ["Matched noise", "Noise matched to GLAZE"]


@pytest.mark.parametrize("paper", [True, False])
def test_the_papers_figures_only_beside_the_papers_model(
    cells: Any, meta: Any, tmp_path: Path, paper: bool
) -> None:
    write_boards(cells, EMPTY, EMPTY, meta | {"paper": paper}, tmp_path)
    assert ("87.0 ± 6.7" in text(tmp_path, "table-1")) == paper
    assert "0.87" not in (tmp_path / "boards/table-1.json").read_text(encoding="utf-8")


def test_matrix_of_another_task(cells: Any, meta: Any, tmp_path: Path) -> None:
    edits = cells.iloc[:4].assign(task="malicious-editing", metric="psnr", value=14.237)
    meta["metrics"]["malicious-editing"] = [
        {"name": "psnr", "title": "PSNR", "higher_is_better": True}
    ]
    write_boards(pd.concat([cells, edits]), EMPTY, EMPTY, meta, tmp_path)
    board = text(tmp_path, "matrix-malicious-editing")
    assert board.startswith("# Malicious editing: every protection, every purifier\n\n")
    assert "\n\n3 subjects. Mean" in board
    assert rows(board)[2] == ["Clean", "14.2 ± 0.0"]


def test_visibility_shows_budgets_as_measured(
    cells: Any, protections: Any, meta: Any, tmp_path: Path
) -> None:
    write_boards(cells, protections, EMPTY, meta, tmp_path)
    row = rows(text(tmp_path, "visibility"))[2]
    # Subject means 12 and 20, 2 and 4, .05 and .07.
    assert row[1:3] == ["16.0 ± 5.7 (over-budget) [1]", "20.0"]
    assert row[3:5] == ["3.000 ± 1.414 (over-budget) [1]", "4.000"]
    assert row[5:] == ["0.060 ± 0.014 (over-budget) [1]", "0.070"]
    found = json.loads((tmp_path / "boards/visibility.json").read_text(encoding="utf-8"))
    largest = {r["metric"]: r["mean"] for r in found if r["table"] == "visibility-largest"}
    assert largest == {"l2": 4.0, "linf": pytest.approx(20 / 255), "lpips": 0.07}


def test_inconsistency_has_errors_areas_and_a_picture(
    cells: Any, inspections: Any, meta: Any, tmp_path: Path
) -> None:
    paths = write_boards(cells, EMPTY, inspections, meta, tmp_path)
    board = text(tmp_path, "inconsistency")
    grid = rows(board)
    assert grid[2] == ["Clean", "0.00250 ± 0.00071", ""]
    # 14 of 16 pairs are larger, one is equal.
    assert grid[3][:2] == ["GLAZE", "0.0112 ± 0.0004"]
    assert grid[3][2].startswith("0.91 [")
    assert grid[4][2].startswith("0.50 [")
    found = records(tmp_path, "inconsistency")
    assert found["inconsistency-auc", "glaze", "none"]["mean"] == 14.5 / 16
    assert "In its own style" in board
    picture = tmp_path / "figures" / "inconsistency.png"
    assert picture in paths
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "../figures/inconsistency.png" in text(tmp_path, "LEADERBOARD")


def test_leaderboard_says_what_it_is(
    cells: Any, protections: Any, inspections: Any, meta: Any, tmp_path: Path
) -> None:
    more = {"settings_frozen": True, "model_note": "It was trained on Sundays."}
    write_boards(cells, protections, inspections, meta | more, tmp_path)
    board = text(tmp_path, "LEADERBOARD")
    for expected in (
        "It was trained on Sundays.",
        "# A small run",
        "These numbers come from a miniature",
        "Effect sizes do not transfer",
        "Guessing scores CLIP top-3 25.0 %.",
        "Style mimicry: 3 subjects",
        "frozen before the test subjects were run",
        "## Table 1: style mimicry. GLAZE: 3 subjects",
        '"steps": 40',
    ):
        assert expected in board
    for name in ("table-1", "matrix-style-mimicry", "visibility", "inconsistency"):
        assert f"({name}.md)" in board
        assert text(tmp_path, name).endswith("\n\nIt was trained on Sundays.\n")
    write_boards(cells, EMPTY, EMPTY, meta | {"model_is_miniature": False}, tmp_path)
    assert "miniature" not in text(tmp_path, "LEADERBOARD").split("## Boards")[0]


def test_no_two_tables_of_the_overview_share_a_heading(
    cells: Any, meta: Any, tmp_path: Path
) -> None:
    edits = cells.assign(task="malicious-editing", metric="psnr")
    write_boards(pd.concat([cells, edits]), EMPTY, EMPTY, meta, tmp_path)
    lines = text(tmp_path, "LEADERBOARD").splitlines()
    headings = [line for line in lines if line.startswith("## Table")]
    assert headings == [
        "## Table 1: style mimicry. GLAZE: 3 subjects",
        "## Table 2: malicious editing. GLAZE: 3 subjects",
    ]
    assert not any("training image" in line for line in lines)  # which no edit has


def test_nothing_measured_yet(meta: Any, tmp_path: Path) -> None:
    paths = write_boards(EMPTY, EMPTY, EMPTY, {}, tmp_path)
    assert [path.name for path in paths] == ["LEADERBOARD.md"]
    assert "Nothing has been measured yet." in text(tmp_path, "LEADERBOARD")


def test_boards_and_formats_can_be_chosen(cells: Any, meta: Any, tmp_path: Path) -> None:
    meta["boards"] = ["table-1"]
    paths = write_boards(cells, EMPTY, EMPTY, meta, tmp_path, formats=("tex", "html"))
    assert [path.name for path in paths] == ["table-1.tex", "table-1.html", "LEADERBOARD.md"]
    assert r"\toprule" in paths[0].read_text(encoding="utf-8")
    assert "<table>" in paths[1].read_text(encoding="utf-8")


def test_frames_that_cannot_be_right_are_refused(cells: Any, meta: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cells lacks the columns \['seed'\]"):
        write_boards(cells.drop(columns="seed"), EMPTY, EMPTY, meta, tmp_path)
    with pytest.raises(ValueError, match="more than once"):
        write_boards(pd.concat([cells, cells]), EMPTY, EMPTY, meta, tmp_path)


def test_importing_the_package_imports_no_pandas() -> None:
    code = (
        "import sys, impress_bench.leaderboard as b; assert 'write_boards' in dir(b); "
        "assert not {'pandas', 'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_control_without_purifier_gets_no_column_of_its_own(
    cells: Any, meta: Any, tmp_path: Path
) -> None:
    controls = cells["protection"].str.startswith("control:")
    assert controls.any()
    bare = cells.assign(purifier=cells["purifier"].mask(controls, ""))
    boards = {}
    for name, frame in {"named": cells, "bare": bare}.items():
        write_boards(frame, EMPTY, EMPTY, meta, tmp_path / name)
        boards[name] = [
            text(tmp_path / name, board) for board in ("table-1", "matrix-style-mimicry")
        ]
    assert boards["bare"] == boards["named"]


def test_settings_are_called_frozen_only_where_the_preset_says_so(
    cells: Any, meta: Any, tmp_path: Path
) -> None:
    for name, frozen in {"frozen": True, "provisional": False}.items():
        write_boards(cells, EMPTY, EMPTY, {**meta, "settings_frozen": frozen}, tmp_path / name)
        assert ("provisional" in text(tmp_path / name, "LEADERBOARD")) is not frozen


@pytest.mark.parametrize("paper", [True, False])
def test_table_2_has_the_papers_layout(build_cells: Any, meta: Any, tmp_path: Path, paper) -> None:
    """No clean column; noise says what it is matched to; the paper's figures to two decimals."""
    noise = "random-noise[match=photoguard-diffusion,within=mask]"
    cells = build_cells(
        {
            (noise, "none"): [20.0, 22.0],
            ("photoguard-diffusion", "none"): [14.0, 15.0],
            ("photoguard-diffusion", "jpeg"): [16.0, 17.0],
            ("photoguard-diffusion", "impress"): [15.0, 18.0],
            ("identity", "jpeg"): [18.0, 18.0],
            ("control:other-seed", ""): [12.0, 12.0],
        }
    ).assign(task="malicious-editing", metric="psnr")
    described = {"name": "psnr", "title": "PSNR", "higher_is_better": True}
    meta |= {
        "metrics": {"malicious-editing": [described]},
        "paper": paper,
        "protections": ["identity", noise, "photoguard-diffusion"],
        "purifiers": ["none", "jpeg", "impress"],
    }
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    board = text(tmp_path, "table-2")
    grid = rows(board)
    assert grid[0][:4] == ["Metric", "Matched noise", "Protected", "Post-processed"]
    assert [cell for cell in grid[2] if cell] == ["JPG", "IMPRESS"]
    assert grid[3] == ["PSNR", "21.0 ± 1.4", "14.5 ± 0.7", "16.5 ± 0.7", "16.5 ± 2.1"]
    assert ("15.61 ± 2.03" in board) == paper
    assert ["Clean photo, another seed", "12.0 ± 0.0"] in grid
    assert ["Clean, JPG", "18.0 ± 0.0"] in grid
    assert ["Matched noise − Protected", "+6.5 [+0.1, +12.9]", "2"] in grid
    assert "recovered share" not in board
    leaderboard = text(tmp_path, "LEADERBOARD")
    assert "as visible as PhotoGuard (diffusion)" in leaderboard
    assert "## Table 2: malicious editing. PhotoGuard (diffusion): 2 subjects" in leaderboard


def test_editing_by_img2img_has_the_same_layout_and_no_figure_of_the_paper(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    """Its rows may be the paper's, its task is not."""
    cells = build_cells(
        {
            ("photoguard-diffusion", "none"): [14.0, 15.0],
            ("photoguard-diffusion", "impress"): [15.0, 18.0],
            ("control:other-seed", ""): [12.0, 12.0],
        }
    ).assign(task="img2img-editing", metric="psnr")
    meta |= {"paper": True, "purifiers": ["none", "impress"]}
    write_boards(cells, EMPTY, EMPTY, meta, tmp_path)
    board = text(tmp_path, "img2img")
    grid = rows(board)
    assert grid[3] == ["psnr", "14.5 ± 0.7", "16.5 ± 2.1"]
    assert "the paper" not in board
    assert ["Clean photo, another seed", "12.0 ± 0.0"] in grid
    assert "## Editing by img2img. PhotoGuard (diffusion)" in text(tmp_path, "LEADERBOARD")
    assert not (tmp_path / "boards" / "table-2.md").exists()


def test_the_overview_shows_the_pictures_that_are_there(
    cells: Any, meta: Any, tmp_path: Path
) -> None:
    """What is published may leave some out."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "kept.png").touch()
    figures = {"kept.png": "Kept", "left.png": "Left out"}
    write_boards(cells, EMPTY, EMPTY, {**meta, "figures": figures}, tmp_path)
    overview = text(tmp_path, "LEADERBOARD")
    assert "![Kept](../figures/kept.png)" in overview
    assert "left.png" not in overview
