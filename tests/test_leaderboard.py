"""The committed leaderboard is what the committed results say."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from printed import differences, grids, read

from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.harness.runs.reports import summary_of
from impress_bench.benchmark.submissions.publishing.publish import publish
from impress_bench.leaderboard.layout import Layout

ROOT = Path(__file__).parents[1]
RESULTS = Path("leaderboard", "results")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A copy of the results with boards and page written anew."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / RESULTS, folder / RESULTS, ignore=shutil.ignore_patterns("boards"))
    measured = ROOT / "leaderboard" / "measured"
    publish(folder / RESULTS, ROOT / "submissions", folder / "LEADERBOARD.md", measured)
    return folder


def test_the_page_is_up_to_date(written):
    assert (written / "LEADERBOARD.md").read_text() == (ROOT / "LEADERBOARD.md").read_text(), (
        "run `make publish` and commit what it changes"
    )


def test_every_board_is_up_to_date(written):
    committed = sorted(ROOT.glob(f"{RESULTS}/*/boards/*"))
    assert {path.relative_to(ROOT) for path in committed} == {
        path.relative_to(written) for path in written.glob(f"{RESULTS}/*/boards/*")
    }
    for path in committed:
        again = written / path.relative_to(ROOT)
        if path.suffix == ".md":
            assert again.read_text() == path.read_text(), path
        elif path.suffix == ".csv":
            tables = [pd.read_csv(file) for file in (again, path)]
            pd.testing.assert_frame_equal(*tables, rtol=1e-9)
        else:
            records = [json.loads(file.read_text()) for file in (again, path)]
            for new, old in zip(*records, strict=True):
                numbers = {key for key, value in old.items() if isinstance(value, float)}
                # Other versions of the libraries may sum in another order.
                assert {key: new[key] for key in numbers} == pytest.approx(
                    {key: old[key] for key in numbers}, rel=1e-9
                ), path
                assert {key: new[key] for key in old.keys() - numbers} == {
                    key: old[key] for key in old.keys() - numbers
                }, path


def test_the_page_links_to_what_is_there(written):
    page = (written / "LEADERBOARD.md").read_text()
    headings = re.findall(r"^#+ (.+)$", page, re.M)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert len(targets) > 50
    for target in targets:
        place, _, anchor = target.partition("#")
        assert (written / place).exists(), target
        assert not anchor or anchor in anchors, target


def test_the_first_screen_is_the_table_of_the_set_that_leads(written):
    """Its figures are those of the board `glance` of that set: nobody computes them twice."""
    page = (written / "LEADERBOARD.md").read_text()
    lines = page.partition("<details>")[0].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    assert first < 12
    table = [line for line in lines if line.startswith("|")]
    assert table == lines[first : first + len(table)]
    (preset,) = re.findall(r"preset `(.+?)`", " ".join(lines[:first]))
    layout = Layout(read_part(written / RESULTS / preset).meta)
    board = json.loads((written / RESULTS / preset / "boards" / "glance.json").read_text())
    shown: dict[str, str] = {}
    for line in table[2:]:
        name = line.split("|")[1].strip()
        shown[name] = shown.get(name, "") + line
    specs = {one["protection"] for one in board if one["table"] == "glance-scores"}
    kept = {layout.title(spec) for spec in specs if layout.kind(spec) == "protection"}
    assert {name for name in shown if "**" not in name} == kept
    compared = [one for one in board if one["table"] == "glance" and one["low"] is not None]
    assert len(compared) > len(kept)
    for record in compared:
        row = shown[layout.title(record["protection"].rpartition(" - ")[2])]
        expected = [record[name] for name in ("mean", "low", "high")]
        found = re.findall(r"([-+][\d.]+) \[([-+][\d.]+), ([-+][\d.]+)\]", row)
        digits = [0.51 * 10.0 ** -len(texts[0].partition(".")[2]) for texts in found]
        assert any(
            [float(text) for text in texts] == pytest.approx([s * one for one in expected], abs=d)
            for texts, d in zip(found, digits, strict=True)
            for s in (1, 100)  # shares are shown in per cent
        ), record


def test_nothing_else_is_unfolded(written):
    depth = 0
    rest = (written / "LEADERBOARD.md").read_text().splitlines()
    for line in rest[next(i for i, line in enumerate(rest) if "<details>" in line) :]:
        depth += line.count("<details>")
        assert depth > 0 or not line, line
        depth -= line.count("</details>")
    assert depth == 0


def test_every_number_of_a_board_is_that_of_its_records(written):
    told = {}
    for folder in (written / RESULTS).iterdir():
        declared = [one for found in read_part(folder).meta.metrics.values() for one in found]
        shares = {metric.name for metric in declared if metric.percent}
        for path in (folder / "boards").glob("*.json"):
            if records := read(path):
                shown = grids(path.with_suffix(".md").read_text(encoding="utf-8"))
                told[folder.name, path.stem] = differences(records, shown, shares)
    assert len(told) > 50
    assert {place: found for place, found in told.items() if found} == {}


def test_every_table_of_every_board_has_a_sentence(written):
    """Between its heading and the table: what it shows, or why nothing is concluded."""
    silent, tables = [], 0
    for path in sorted(written.glob(f"{RESULTS}/*/boards/*.md")):
        if path.name == "LEADERBOARD.md":
            continue
        for block in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            heading, _, rest = block.partition("\n\n")
            text, table, _ = rest.partition("\n\n|") if rest[:1] != "|" else ("", "|", "")
            tables += bool(table)
            if table and not re.search(r"[A-Za-z]{3}.*\.$", text, re.S):
                silent.append((path.parts[-3], path.stem, heading))
    assert tables > 300
    assert silent == []


@pytest.mark.parametrize("name", ["mini", "paper", "all", "generations", "transfer"])
def test_a_published_run_would_end_with_a_few_lines(name):
    """With the path of the boards, and `make leaderboard`'s of the page, at most ten."""
    lines = summary_of(ROOT / RESULTS / name)
    assert 4 <= len(lines) <= 8
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith(f"Preset {name}, model atelier")
    assert "(a miniature)" in lines[0]
    assert " takes " in lines[1] or "too few" in " ".join(lines[1:3]) or " not shown " in lines[1]
