"""LEADERBOARD.md at the root: one table, with the board's figures, and the rest folded."""

import re
from dataclasses import replace

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.index import index
from impress_bench.leaderboard.pages.section import Section
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS
from impress_bench.leaderboard.write import build_boards

EDITING, MIMICRY = "malicious-editing", "style-mimicry"
NOISE = "random-noise"
METRICS = {
    EDITING: [MetricInfo("psnr", "PSNR", True, "dB", primary=True)],
    MIMICRY: [MetricInfo("clip-top3", "CLIP top-3", True, SHARE, primary=True)],
}
#: By task, a score per condition, to which a subject adds its own.
SCORES = {
    EDITING: {
        ("identity", "jpeg"): 45.0,
        (NOISE, "none"): 40.0,
        (NOISE, "impress"): 41.0,
        ("glaze", "none"): 17.0,
        ("glaze", "impress"): 33.0,
        ("glaze", "jpeg"): 19.0,
    },
    MIMICRY: {
        ("identity", "none"): 0.7,
        (NOISE, "none"): 0.65,
        (NOISE, "impress"): 0.62,
        ("glaze", "none"): 0.2,
        ("glaze", "impress"): 0.6,
    },
}


def section(scores=SCORES, subjects=8, claimed=False, **meta):
    rows, moved = [], []
    for task, conditions in scores.items():
        for i in range(subjects):
            for at, ((protection, purifier), score) in enumerate(conditions.items()):
                size = 0.1 if task == EDITING else 0.01
                value = score + size * ((i * (at + 3)) % 7)
                metric = METRICS[task][0].name
                place = (task, f"subject-{i}", protection, purifier, 0, metric)
                rows.append((*place, value, "done", None))
            for protection in {name for name, _ in conditions}:
                moved.append((task, f"subject-{i}", protection, "a", 0.06, 3.0, 0.05, "done"))
    given = {"title": "Ours", "preset": "p", "model": "m", "reference_protection": "glaze",
             "model_is_miniature": True, "metrics": METRICS,
             "about": {"purifier impress": "Descends."}, "passes": {"glaze": 103.0}}  # fmt: skip
    layout = Layout(BoardMeta(**given | meta))
    none = PROTECTIONS.frame([])
    cells, distances = CELLS.frame(rows), PROTECTIONS.frame(moved)
    boards = build_boards(cells, distances, none.iloc[:0, :0], layout.meta)
    return Section(["Preset `p`"], boards, layout, "" if claimed else "results/p", claimed)


def outside(page):
    """The lines that no fold hides."""
    depth, lines = 0, []
    for line in page.splitlines():
        depth += line.count("<details>")
        if depth == 0 and line:
            lines.append(line)
        depth -= line.count("</details>")
    assert depth == 0
    return lines


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_line_of_a_fold_says_what_the_set_shows():
    (line,) = [
        one for one in index([section(), section(title="Theirs")]).splitlines()
        if "<b>Theirs</b>" in one
    ]  # fmt: skip
    told = "malicious-editing, 8 subjects, glaze is shown to survive impress; style-mimicry, 8"
    assert told in line


def test_the_page_starts_with_one_table_and_nothing_else_is_unfolded():
    page = index([section(), section(title="Another", model="n")])
    lines = outside(page)
    assert lines[0] == "# Leaderboard"
    first = next(i for i, line in enumerate(page.splitlines(), 1) if line.startswith("|"))
    assert first <= 12
    table = [line for line in lines if line.startswith("|")]
    assert page.splitlines()[first - 1 : first - 1 + len(table)] == table, "one table"
    rows = [cells_of(line) for line in table if "---" not in line]
    assert [head for head in rows[0] if head != "p"] == [
        "Protection", "Visible (LPIPS) ↓", "Takes more than noise ↑", "Survives impress ↑ [1]",
        "Strongest purifier", "Left after it ↑", "Passes ↓",
    ]  # fmt: skip
    assert ("p: sign-flip test of that difference" in page) == ("p" in rows[0])
    assert [row[0] for row in rows[1:]] == [
        "**malicious-editing: PSNR in dB, high is good for the exploit**", "glaze",
        "**style-mimicry: CLIP top-3, high is good for the exploit**", "glaze",
    ]  # fmt: skip
    rest = lines[lines.index(table[-1]) + 1 :]
    boards = section().board("glance").blocks
    assert rest[:2] == [
        f"**{task}.** {block.text}" for task, block in zip(METRICS, boards, strict=True)
    ]
    assert "is shown to survive impress" in rest[0]
    assert rest[2].startswith("Takes more than noise: ")
    assert rest[3:] == ["- [1] impress: Descends."]
    told = " ".join(lines[1 : lines.index(table[0])])
    assert "**Ours** (preset `p`; model `m`; malicious-editing: 8 subjects;" in told
    assert "miniature" in told
    assert "](#the-miniature)" in told
    assert "\n## The miniature\n" in page
    assert len(re.findall(r"\w+", told)) < 110


def figures(text):
    """The mean, its interval, and the last digit's worth, of a cell such as `+1.2 [-0.1, +2.5]`."""
    numbers = re.findall(r"[-+]?\d+(?:\.\d+)?", text)[:3]
    return [float(one) for one in numbers], 10.0 ** -len(numbers[0].partition(".")[2])


def test_its_figures_are_those_of_the_boards_records():
    ours = section()
    table = [cells_of(line) for line in outside(index([ours])) if line.startswith("|")]
    heads, rows = table[0], [row for row in table if row[0] == "glaze"]
    columns = {"none": heads.index("Takes more than noise ↑"),
               "impress": heads.index("Survives impress ↑ [1]")}  # fmt: skip
    records = {
        (one["task"], one["purifier"]): one
        for one in ours.board("glance").records
        if one["table"] == "glance"
    }
    assert len(records) == 4
    for row, (task, metrics) in zip(rows, METRICS.items(), strict=True):
        for purifier, column in columns.items():
            shown, digit = figures(row[column])
            record = records[task, purifier]
            scale = 100 if metrics[0].percent else 1
            expected = [scale * record[name] for name in ("mean", "low", "high")]
            assert shown == pytest.approx(expected, abs=digit / 2 + 1e-9)
        assert (row[1], row[-1]) == ("0.050", "103")


def test_columns_that_the_board_has_besides_are_shown_where_they_stand():
    ours = section()
    glance, *others = ours.boards
    wider = [
        replace(
            block,
            headers=[*block.headers[:5], "Further", *block.headers[5:]],
            rows=[[*row[:5], f"{row[0]} {at}", *row[5:]] for at, row in enumerate(block.rows)],
        )
        for block in glance.blocks
    ]
    lines = outside(index([ours._replace(boards=[replace(glance, blocks=wider), *others])]))
    heads, *rows = [cells_of(line) for line in lines if line.startswith("|") and "---" not in line]
    assert heads[3:5] == ["Survives impress ↑ [1]", "Further"]
    assert [row[4] for row in rows] == ["", "glaze 2", "", "glaze 2"]
    assert {len(row) for row in rows} == {len(heads)}


def test_a_second_table_has_what_there_is_no_noise_for():
    scores = SCORES | {
        EDITING: SCORES[EDITING] | {
            ("mist", "none"): 30.0, ("mist", "impress"): 31.0,
            ("ace", "none"): 29.0, ("ace", "impress"): 33.0,
        }
    }  # fmt: skip
    page = index([section(scores)])
    assert "noise not run" not in page
    assert not [line for line in outside(page) if line.startswith(("| mist", "| ace"))]
    said = (
        "Noise was run only as visible as glaze, so that what the 2 protections of this table take"
    )
    place = page.index(said)
    rows = [line for line in page[place:].splitlines() if line.startswith("|")]
    assert [cells_of(row) for row in rows[:1]] == [
        ["Protection", "Visible (LPIPS) ↓", "Exploit's score", "Strongest purifier"]
    ]
    assert [cells_of(row)[0] for row in rows[3:5]] == ["ace", "mist"]
    assert cells_of(rows[3])[3].startswith("impress 33")


def test_without_any_noise_the_table_is_of_scores():
    scores = {EDITING: {key: one for key, one in SCORES[EDITING].items() if key[0] != NOISE}}
    table = [line for line in outside(index([section(scores)])) if line.startswith("|")]
    assert cells_of(table[0])[2] == "Exploit's score"
    assert len(table) == 4
    assert "No noise as visible was run, so that what this protection takes" in index(
        [section(scores)]
    )


def test_a_claim_never_leads():
    ours, claimed = section(), section(title="Claimed", claimed=True)
    page = index([claimed, ours])
    assert "**Ours**" in "".join(outside(page))
    assert "**Claimed**" not in page
    alone = index([claimed])
    assert "Nothing has been measured yet." in outside(alone)
    assert not [line for line in outside(alone) if line.startswith("|")]
    assert "Nothing has been published yet." in outside(index([]))


def test_what_is_too_small_says_so_in_the_line_that_folds_it():
    small = section(subjects=2, title="Small & <b>", next_preset="paper")
    lines = [line for line in index([section(), small]).splitlines() if "<summary>" in line]
    (line,) = [line for line in lines if "Small" in line]
    assert line.startswith("<details><summary><b>Small &amp; &lt;b&gt;</b>: ")
    assert "malicious-editing, 2 subjects, too few to conclude" in line
    assert "run the preset paper next" in line
    assert not [line for line in lines if "Ours" in line and "too few" in line]
    assert any("This shows nothing yet" in line for line in outside(index([small])))


def test_the_papers_tables_stand_beside_the_same_ones_on_another_model():
    other = section({MIMICRY: SCORES[MIMICRY]}, title="Other", model="n", model_note="Robust.")
    page = index([section(), other])
    (fold,) = re.findall(r"<details><summary><b>Against the paper</b>.*?</details>", page, re.S)
    headings = [line for line in fold.splitlines() if line.startswith("#")]
    assert headings == ["#### Table 1: style-mimicry", "#### Table 1: style-mimicry, on `n`"]
    assert "Table 1 on n</summary>" in fold
    assert "Robust. CLIP top-3, of the paper's 3 orders: " in fold
    same = section({MIMICRY: SCORES[MIMICRY]}, title="Same model")
    assert index([section(), same]).count("#### Table 1: style-mimicry") == 1
