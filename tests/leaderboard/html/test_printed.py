"""Every number of a board is one number: in its JSON and CSV, and as text in its Markdown, in its
LaTeX and on the page. The texts are made anew from the JSON, by rules that share no code with
boards.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from printed import differences, grids, latex_grids, read, text_of

from impress_bench.benchmark.metric import SHARE
from impress_bench.leaderboard.html import Source, write_site
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, NOTES, PROTECTIONS

MIMICRY, OTHER, EDITING, REDRAWN = (
    "style-mimicry", "style-mimicry[target=second]", "malicious-editing", "img2img-editing",
)  # fmt: skip
#: Metrics by task: name, unit, the grid on which values lie, and whether more serves the exploit.
#: Means of values on these grids often lie half-way between two texts.
METRICS = {
    MIMICRY: [("clip-top3", SHARE, 1 / 20, True), ("tiny", "", 1e-11 / 3, False),
              ("huge", "", 1250.25, True)],
    EDITING: [("psnr", "dB", 0.8, True), ("ssim", "", 0.008, True)],
    REDRAWN: [("psnr", "dB", 0.1, True)],
}  # fmt: skip
METRICS[OTHER] = METRICS[MIMICRY]
ROWS = {
    MIMICRY: ["identity", "random-noise", "glaze", "glaze+consistency[weight=1]",
              "glaze+consistency[weight=40]", "glaze+o-pgd", "control:no-fine-tuning"],
    EDITING: ["random-noise[match=photoguard-encoder]", "photoguard-encoder",
              "photoguard-encoder+consistency[share=0.5]", "control:other-seed"],
    REDRAWN: ["random-noise[match=photoguard-encoder]", "photoguard-encoder"],
}  # fmt: skip
ROWS[OTHER] = ROWS[MIMICRY][:3]
PURIFIERS = ["none", "jpeg", "impress"]
#: Of all sizes that boards treat differently, in one task each.
SUBJECTS = {MIMICRY: 10, OTHER: 6, EDITING: 8, REDRAWN: 1}
PAGE = "made"


def made() -> Source:
    """Tables of every kind, their values drawn from coarse grids; one row was run in part."""
    draw = random.Random(3)
    cells, seen, inspected, noted = [], [], [], []
    for task, names in ROWS.items():
        for name, subject in ((a, f"s-{i}") for a in names for i in range(SUBJECTS[task])):
            for purifier in [""] if name.startswith("control:") else PURIFIERS:
                for metric, _, step, _ in METRICS[task]:
                    level = 4 + names.index(name) * (purifier != "impress")
                    lacks = (task, name, purifier, subject) == (MIMICRY, "glaze", "jpeg", "s-0")
                    for seed in (0, 1):
                        value = step * (level + draw.randrange(9))
                        end = ("failed", "no disk") if lacks else ("done", None)
                        got = float("nan") if lacks else value
                        cells.append((task, subject, name, purifier, seed, metric, got, *end))
            if name.startswith("control:"):
                continue
            for image in ("a", "b"):
                moved = (draw.randrange(9) / 255, draw.randrange(99) / 8, draw.randrange(99) / 2000)
                seen.append((task, subject, name, image, *moved, "done"))
                noted.append((task, subject, name, "", image, "success", draw.randrange(9) / 48))
                for purifier in PURIFIERS:
                    place = (task, subject, name, purifier, image)
                    inspected.append((*place, "vae-error", draw.randrange(40) / 16000))
                    inspected.append((*place, "own-style", draw.randrange(2) / 1))
                noted.append((task, subject, name, "jpeg", image, "rate", draw.randrange(99) / 8e5))
    metrics = {
        task: [
            {"name": name, "title": name.upper(), "unit": unit, "higher_is_better": up,
             "primary": not place}
            for place, (name, unit, _, up) in enumerate(found)
        ]
        for task, found in METRICS.items()
    }  # fmt: skip
    meta = {
        "metrics": metrics, "model": "first", "reference_protection": "glaze",
        "purifiers": PURIFIERS, "protections": [*ROWS[MIMICRY], *ROWS[EDITING]],
    }  # fmt: skip
    return Source(
        PAGE, CELLS.frame(cells), PROTECTIONS.frame(seen), INSPECTIONS.frame(inspected),
        NOTES.frame(noted), BoardMeta.of(meta),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """The page of the made tables, and beside it all boards as files."""
    target: Path = tmp_path_factory.mktemp("site")
    write_site([made()], target)
    return target


def boards(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]], set[str]]]:
    """The boards with records: their JSON, what is in it, and the metrics in per cent."""
    shares = {name for found in METRICS.values() for name, unit, *_ in found if unit == SHARE}
    for path in sorted((folder / PAGE / "boards").glob("*.json")):
        if records := read(path):
            yield path, records, shares


def test_the_made_boards_are_all_there_is_and_have_ties(folder: Path) -> None:
    names = {path.stem for path, *_ in boards(folder)}
    assert names >= {
        "against-the-paper", "diagnostics", "glance", "img2img", "inconsistency",
        f"matrix-{MIMICRY}", f"matrix-{EDITING}", "table-1", "table-2", "table-3", "table-4",
        "table-5", "table-6", "transfer", "visibility", "worst-case",
    }  # fmt: skip
    means = [one["mean"] for _, found, _ in boards(folder) for one in found
             if one["metric"] == "clip-top3" and one["mean"] is not None]  # fmt: skip
    halves = [mean for mean in means if round(2000 * mean, 7) % 2 == 1]
    assert len(halves) > 20


def test_markdown_and_latex_print_what_the_json_records(folder: Path) -> None:
    for ending, tables in ((".md", grids), (".tex", latex_grids)):
        told = {}
        for path, records, shares in boards(folder):
            text = path.with_suffix(ending).read_text(encoding="utf-8")
            told[path.stem] = differences(records, tables(text), shares)
        assert {name: found for name, found in told.items() if found} == {}


def test_the_csv_has_the_digits_of_the_json(folder: Path) -> None:
    for path, records, _ in boards(folder):
        with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert lines == [
            {name: "" if value is None else str(value) for name, value in one.items()}
            for one in records
        ]


def test_the_page_prints_what_the_json_records(folder: Path, page_at: Any) -> None:
    page = page_at(folder / "index.html")
    told = {}
    for path, records, shares in boards(folder):
        names = [name for name in page.tables if name.rpartition("-")[0] == path.stem]
        told[path.stem] = differences(records, [page.tables[name] for name in names], shares)
    assert {name: found for name, found in told.items() if found} == {}


def test_what_a_number_of_the_page_opens_is_what_the_matrix_records(
    folder: Path, page_at: Any
) -> None:
    recorded = {
        (one["task"], one["protection"], one["purifier"] or "none", one["metric"]): one
        for path, records, _ in boards(folder)
        if path.stem.startswith("matrix-")
        for one in records
    }
    opened = {
        (one["task"], cell["protection"], cell["purifier"], cell["metric"]): cell
        for one in page_at(folder / "index.html").data["records"]
        for cell in one["cells"]
    }
    assert recorded.keys() == opened.keys()
    for place, cell in opened.items():
        one, percent = recorded[place], place[-1] == "clip-top3"
        assert cell["n"] == one["n"]
        if one["mean"] is not None:
            assert cell["text"].startswith(str(text_of(one, percent)))
            as_interval = {**one, "table": "glance"}
            assert cell["interval"] == str(text_of(as_interval, percent)).replace("+", "")
