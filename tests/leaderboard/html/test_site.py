"""A page has the figures of the other formats, holds no markup of strangers, and needs nothing."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from scipy import stats

from impress_bench.leaderboard.boards import matrix
from impress_bench.leaderboard.entries import Key, collect
from impress_bench.leaderboard.html import pictures, write_site
from impress_bench.leaderboard.html.site import HERE, SCRIPTS
from impress_bench.leaderboard.html.texts import inline, slug
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.render import VIEWS, interval_text, numbers
from impress_bench.leaderboard.write import build_boards
from tests.leaderboard.html.conftest import Page, album

TASK = "style-mimicry"
EVIL = '<img src=x onerror="boom()">'
ENDING = "</script><script>boom()</script>"


def boards_of(source: Any) -> list[Any]:
    return build_boards(
        source.cells, source.protections, source.inspections, source.meta, source.notes
    )


def test_tables_hold_the_texts_of_every_board(source: Any, page_of: Any) -> None:
    tables = page_of(source).tables
    boards = [board for board in boards_of(source) if board.name != "flags"]
    assert {"glance", "table-1", f"matrix-{TASK}", "visibility"} <= {b.name for b in boards}
    for board in boards:
        for place, block in enumerate(board.blocks):
            if block.rows:
                expected = [list(block.headers), *[list(row) for row in block.rows]]
                assert tables[f"{board.name}-{place}"] == expected


def test_heat_maps_are_the_matrix_and_open_what_was_measured(source: Any, page_of: Any) -> None:
    page = page_of(source)
    board = matrix.build(source.cells, Layout(source.meta), TASK)
    assert board is not None
    found = page.tables[f"heat-{TASK}-clip-top3"]
    assert found == [list(board.blocks[0].headers), *map(list, board.blocks[0].rows)]
    entries, metric = collect(source.cells, TASK), source.meta.metrics[TASK][0]
    (records,) = page.data["records"]
    subjects = page.data["tasks"][0]["subjects"]
    assert subjects == ["artist-0", "artist-1", "artist-2"]
    assert len(records["cells"]) == len(entries)
    for record in records["cells"]:
        entry = entries[Key(record["protection"], record["purifier"], record["metric"])]
        values = [entry.by_subject.get(subject) for subject in subjects]
        assert record["values"] == values
        given = [value for value in values if value is not None]
        assert record["n"] == len(given)
        texts = numbers(given, metric.percent) if given else []
        assert [text for text in record["texts"] if text] == texts
        assert record["interval"] == interval_text(entry.summary_of(metric), metric.percent, False)
        assert (record["state"], record["reason"]) == (entry.state, entry.reason)
    # The levels of the scale follow the means, and cells without a number have none.
    levels = re.findall(r'<td(?: class="l(\d)")? data-record="\d+">([^<]*)<', page.text)
    by_mean = [(float(text.split()[0]), int(level)) for level, text in levels if level]
    assert len(by_mean) < len(levels) == len(records["cells"])
    protected = [pair for pair in by_mean if pair[0] >= 40]
    assert [level for _, level in sorted(protected)] == sorted(level for _, level in protected)
    assert {level for _, level in by_mean} >= {0, 8}


def test_the_files_beside_a_page_are_the_boards(source: Any, tmp_path: Path) -> None:
    write_site([source], tmp_path)
    for board in boards_of(source):
        for form in ("md", "csv", "json", "tex"):
            path = tmp_path / "mini" / "boards" / f"{board.name}.{form}"
            assert path.read_text(encoding="utf-8") == VIEWS[form](board)
    rows = list(csv.DictReader((tmp_path / "mini/boards/table-1.csv").open(encoding="utf-8")))
    assert rows


def test_equal_results_are_equal_bytes(source: Any, tmp_path: Path) -> None:
    shuffled = replace(source, cells=source.cells.sample(frac=1, random_state=3))
    first = write_site([source], tmp_path / "one")
    second = write_site([shuffled], tmp_path / "other")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_pages_of_earlier_releases_are_linked_the_latest_first(source: Any, tmp_path: Path) -> None:
    for name in ("v0.9.0", "v0.10.0", "before the paper"):
        write_site([source], tmp_path / "releases" / name)
    (tmp_path / "releases" / "empty").mkdir()
    write_site([source], tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'<a href="(releases/[^"]*)">([^<]*)</a>', text)
    assert [name for _, name in links] == ["v0.10.0", "v0.9.0", "before the paper"]
    assert all((tmp_path / unquote(place)).is_file() for place, _ in links)
    earlier = tmp_path / "releases" / "v0.9.0" / "index.html"
    assert "Earlier boards" not in earlier.read_text(encoding="utf-8")


def test_a_page_loads_nothing_and_runs_its_own_script_alone(source: Any, page_of: Any) -> None:
    page = page_of(source)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href"):
            target = attributes.get(name) or ""
            assert not re.match(r"(?i)\s*(https?:|//|javascript:)", target), target
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    assert "unsafe" not in str(policy)
    assert len(page.scripts) == 2
    assert "innerHTML" not in page.scripts[1]
    assert {path.name for path in (HERE / "assets").glob("*.js")} == set(SCRIPTS)


def test_what_strangers_write_is_text(source: Any, page_of: Any) -> None:
    cells = source.cells.copy()
    cells.loc[cells["state"] == "failed", "reason"] = ENDING
    cells.loc[cells["protection"] == "mist", "protection"] = EVIL
    cells.loc[cells["subject"] == "artist-2", "subject"] = ENDING
    told = {EVIL: f"{EVIL} {ENDING}", "glaze": EVIL, "style-mimicry": f"Style {EVIL}"}
    about = {"protection glaze": ENDING, "purifier impress": ENDING}
    update = {"title": ENDING, "model": EVIL, "titles": {**source.meta.titles, **told}}
    meta = source.meta.model_copy(update={**update, "about": about})
    origin = {**source.origins[0], "python": ENDING, "git": {"commit": EVIL}}
    evil = replace(
        source, cells=cells, meta=meta, facts=[f"`{ENDING}` {EVIL} [x](javascript:boom())"],
        origins=[origin],
    )  # fmt: skip
    before, after = page_of(source), page_of(evil)
    assert "boom()" in after.text
    assert "<img" not in after.text
    # No tag and no attribute more than its own: only texts differ.
    assert {t for t, _ in after.tags} <= {t for t, _ in before.tags}
    assert not [a for _, a in after.tags if {"onerror", "src"} & set(a)]
    assert not [a for _, a in after.tags if (a.get("href") or "").startswith("javascript:")]
    assert len(after.scripts) == 2
    assert "boom()" not in after.scripts[1]
    assert after.data["titles"][EVIL] == f"{EVIL} {ENDING}"
    assert after.data["tasks"][0]["subjects"][0] == ENDING
    assert any(ENDING in (cell["reason"] or "") for cell in after.data["records"][0]["cells"])


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("> **Few** `a<b`", "<strong>Few</strong> <code>a&lt;b</code>"),
        ("[x](https://a.org/b)", '<a href="https://a.org/b" rel="noreferrer">x</a>'),
        ("[x](javascript:y)", "[x](javascript:y)"),
        ('[x](https://a" onclick="y)', "[x](https://a&#34; onclick=&#34;y)"),
        ("**<b>**<i>", "<strong>&lt;b&gt;</strong>&lt;i&gt;"),
    ],
)
def test_a_few_marks_of_markdown(text: str, html: str) -> None:
    assert inline(text) == html


def test_tables_are_labelled_for_those_who_do_not_see_them(source: Any, page_of: Any) -> None:
    page = page_of(source)
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in page.tags:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if tag == "table":
            named = attributes.get("aria-labelledby")
            assert named in identifiers or attributes.get("aria-label")
        if tag in ("svg", "img"):
            assert attributes.get("aria-label") or attributes.get("alt")
    assert ("html", {"lang": "en"}) in page.tags


def test_the_scale_of_colours_is_readable() -> None:
    css = (HERE / "assets" / "page.css").read_text(encoding="utf-8")
    scale = re.findall(r"\.l(\d) \{ background: (#\w+); color: (#\w+); \}", css)
    assert [level for level, *_ in scale] == [str(level) for level in range(9)]
    light = [luminance(colour) for _, colour, _ in scale]
    assert light == sorted(light, reverse=True)  # one hue, by lightness: no colour is needed
    for _, colour, ink in scale:
        dark, bright = sorted((luminance(colour), luminance(ink)))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it, of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_methods_settings_and_the_command_that_measures_again(source: Any, page_of: Any) -> None:
    page = page_of(source)
    row = next(row for row in page.tables["methods-0"] if row[0] == "GLAZE")
    fared = row.pop(7)
    assert row[:3] == ["GLAZE", "protection", "GLAZE: Style cloak by feature distance."]
    assert row[3:] == ["gradients of encoder; outputs of denoiser", "438", "2.50", "1", "glaze"]
    mist = next(row for row in page.tables["methods-0"] if row[0] == "mist")
    assert mist[3:7] == ["images alone, no network of the model", "903", "25.00", ""]
    impress = next(row for row in page.tables["methods-0"] if row[0] == "IMPRESS")
    assert impress[3] == "gradients of LPIPS; outputs of encoder"
    jpeg = next(row for row in page.tables["methods-0"] if row[1] == "purifier" and row != impress)
    assert jpeg[3] == "", "its passes were not counted"
    # How they fared, by a naive count over the table of cells.
    heads = page.tables["methods-0"][0]
    assert heads[7] == "How it fared. Style mimicry: CLIP top-3 (per cent)"
    assert page.data["methods"]["protection"]["glaze"]["fared"] == [fared]
    noise, own = (subjects_of(source.cells, name, "none") for name in ("random-noise", "glaze"))
    taken = naive_interval({one: noise[one] - own[one] for one in noise.keys() & own.keys()}, "+")
    assert fared.startswith(f"{taken} taken, ")
    assert fared.endswith(told_of_protection(source.cells, "glaze").partition(" scored, ")[2])
    assert mist[7] == told_of_protection(source.cells, "mist"), "without a noise of its own"
    assert impress[7] == told_of_purifier(source.cells, "impress", "glaze")
    assert page.data["components"]["protection glaze"][0]["source"] == "ca46937a"
    # Seeds 0 and 1: one artist has two.
    command = "impress-bench run --preset mini --seeds 0,1 --out runs/again"
    assert page.data["command"] == command
    odd = source.cells.replace({"protection": {"mist": "mist[p=1,q=$(boom)]"}})
    quoted = page_of(replace(source, cells=odd)).data["quoted"]
    assert quoted["mist[p=1,q=$(boom)]"] == "'mist[p=1,q=$(boom)]'"


def told_of_protection(cells: Any, name: str) -> str:
    """What stands in the small run's table of methods for a protection without a noise of its own:
    means by subject, and Student's interval of those."""
    told = []
    for purifier, after in (("none", ""), ("impress", " after IMPRESS")):
        scores = subjects_of(cells, name, purifier)
        told.append(f"{naive_interval(scores, '')} scored{after}")
    return ", ".join(told)


def told_of_purifier(cells: Any, name: str, protection: str) -> str:
    with_it, without = (subjects_of(cells, protection, one) for one in (name, "none"))
    differences = [with_it[one] - without[one] for one in sorted(with_it.keys() & without.keys())]
    return f"{naive_interval(dict(enumerate(differences)), '+')} given back on GLAZE"


def subjects_of(cells: Any, protection: str, purifier: str) -> dict[Any, float]:
    rows = cells[(cells["protection"] == protection) & (cells["purifier"] == purifier)]
    rows = rows[(rows["metric"] == "clip-top3") & (rows["state"] == "done")]
    return dict(rows.groupby("subject")["value"].mean())


def naive_interval(scores: dict[Any, float], sign: str) -> str:
    values = 100 * np.array(list(scores.values()))
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    mean = values.mean()
    return f"{mean:{sign}.1f} [{mean - half:{sign}.1f}, {mean + half:{sign}.1f}]"


def test_pictures_are_of_one_subject_as_many_rows_as_fit(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"identity": ["none", "impress"], "glaze": ["none", "impress"], "mist": ["none"]}
    found = album(tmp_path / "run", TASK, "artist-0", rows)
    assert [one.protection for one in found.pictures] == [
        "identity", "identity", "glaze", "glaze", "mist",
    ]  # fmt: skip
    files = list((tmp_path / "run" / "pictures").glob("*.webp"))
    assert len(files) == 2 * 5
    write_site([replace(source, folder=tmp_path / "run")], tmp_path / "page")
    for path in files:
        assert (tmp_path / "page/mini/pictures" / path.name).read_bytes() == path.read_bytes()
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "Rows without single pictures" not in text
    assert Page(text).data["pictures"] == [one._asdict() for one in found.pictures]
    # Without room for the last row it is left out, and named.
    monkeypatch.setattr(pictures, "BUDGET", sum(path.stat().st_size for path in files) - 1)
    found = album(tmp_path / "run", TASK, "artist-0", rows)
    assert found == pictures.read_album(tmp_path / "run")
    assert [one.protection for one in found.left_out] == ["mist"]
    assert len(list((tmp_path / "run" / "pictures").glob("*.webp"))) == 2 * 4
    write_site([replace(source, folder=tmp_path / "run")], tmp_path / "narrow")
    text = (tmp_path / "narrow" / "index.html").read_text(encoding="utf-8")
    assert "in the order of the board: 1</summary>" in text
    assert "mist (Style mimicry, artist-0)" in text


def test_a_picture_that_lies_elsewhere_is_none(source: Any, tmp_path: Path) -> None:
    album(tmp_path / "run", TASK, "artist-0", {"glaze": ["none"]})
    index = tmp_path / "run" / "pictures" / "album.json"
    document = json.loads(index.read_text())
    document["pictures"][0]["given"] = "../../secret.webp"
    index.write_text(json.dumps(document))
    (tmp_path / "secret.webp").write_bytes(b"secret")
    written = write_site([replace(source, folder=tmp_path / "run")], tmp_path / "page")
    assert not [path for path in written if path.name == "secret.webp"]
    assert Page((tmp_path / "page/index.html").read_text()).data["pictures"][0]["given"] == ""


def test_plots_have_a_table_of_their_values(source: Any, page_of: Any) -> None:
    page = page_of(source)
    rows = page.tables[f"values-{TASK}-clip-top3"]
    assert rows[0] == [
        "No.", "Protection", "Visibility", "Passes", "Seconds", "No purifier", "IMPRESS",
    ]  # fmt: skip
    # Of glaze one image was over its budget: two subjects with 0.04 and 0.07.
    assert rows[1] == ["1", "GLAZE", "0.055", "438", "2.50", "40.0", "70.0"]
    assert rows[2][:5] == ["2", "mist", "0.090", "903", "25.00"]
    # Two points of two protections in three plots: visibility, passes and seconds.
    assert page.text.count("<circle") == 2 * 2 * 3
    # Seconds stand on a logarithmic scale from 1 to 100: 2.5 and 25 lie a decade apart.
    drawn = page.text[page.text.index('data-plot="seconds"') :]
    places = [float(x) for x in re.findall(r'<circle class="filled" cx="([\d.]+)"', drawn)[:2]]
    assert places[1] - places[0] == pytest.approx((640 - 28 - 64) / 2, abs=0.2)


def test_pictures_are_taken_from_the_folder_that_has_them(source: Any, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    name = f"{TASK}-artist-0.png"
    Image.new("RGB", (30, 20)).save(folder / "figures" / name)
    (folder / "provenance.json").write_text("{}")
    captions = {name: "artist-0: learned from, painted", "gone.png": "artist-1: x", "../x.png": "y"}
    meta = source.meta.model_copy(update={"figures": captions})
    paths = write_site([replace(source, meta=meta, folder=folder)], tmp_path / "page")
    assert (tmp_path / "page" / "mini" / "figures" / name) in paths
    assert (tmp_path / "page" / "mini" / "provenance.json").read_text() == "{}"
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert f'<img src="mini/figures/{name}" loading="lazy" width="30" height="20" alt=' in text
    assert "gone.png" not in text
    write_site([source], tmp_path / "without")
    assert "has no pictures" in (tmp_path / "without" / "index.html").read_text(encoding="utf-8")


def test_several_sets_have_a_page_each(source: Any, tmp_path: Path) -> None:
    other = replace(source, name="other", meta=BoardMeta.of({"title": "Another"}))
    write_site([source, other], tmp_path)
    assert 'href="other.html">Another<' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="index.html">A small run<' in (tmp_path / "other.html").read_text(encoding="utf-8")
    for names in (["mini", "mini"], ["../x"], [""]):
        with pytest.raises(ValueError, match="names of pages"):
            write_site([replace(source, name=name) for name in names], tmp_path / "bad")
    with pytest.raises(ValueError, match="there are none"):
        write_site([], tmp_path / "bad")
    assert slug("../Évil name/") == "vil-name"


def test_cautions_and_flags_stand_above_the_figures(source: Any, page_of: Any) -> None:
    text = page_of(source).text
    first = text.index('id="at=glance"')
    assert text.index("<strong>These numbers come from a miniature.</strong>") < first
    assert (
        text.index("<strong>This shows nothing yet</strong> of Style mimicry (3 subjects)") < first
    )
    assert text.index("Flags raised by this run") < first
    assert "few subjects" in text[:first]


def test_a_run_without_a_score_has_a_page(source: Any, page_of: Any) -> None:
    empty = replace(
        source, cells=source.cells[:0], protections=source.protections[:0],
        inspections=source.inspections[:0], origins=[], facts=[],
    )  # fmt: skip
    page = page_of(empty)
    assert "Nothing has been measured yet." in page.text
    assert json.loads(page.scripts[0])["records"] == []
