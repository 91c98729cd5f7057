"""The page of a run: its boards, its single pictures, and what is left out."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.merge import merge
from impress_bench.benchmark.harness.runs.reports import redraw, write_page
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.leaderboard.html import pictures as albums
from impress_bench.leaderboard.html.pictures import read_album

#: The parts that the fake plugins play.
ROLES = {"clean": "clean", "no_purifier": "keep", "purifier": "smooth"}


@pytest.fixture
def shown(bench):
    """Runs the fake preset, whose display names the parts of its plugins."""
    return lambda **values: bench.run(display={"roles": ROLES}, **values)


def data_of(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    start = text.index('<script type="application/json" id="data">') + 42
    return text, json.loads(text[start : text.index("</script>", start)])


def test_a_run_has_a_page_with_its_boards_and_pictures(bench, shown):
    """One subject per task; the pictures are the stored ones, bit by bit."""
    result = shown()
    target = bench.tmp_path / "page"
    write_page(result.out, target)
    text, data = data_of(target)
    for board in (result.out / "boards").glob("*.csv"):
        assert (target / data["name"] / "boards" / board.name).read_bytes() == board.read_bytes()
    cells = make_plan(bench.preset(), Registry()).cells
    first = cells[0].place.subject
    assert {one["subject"] for one in data["pictures"]} == {first}
    found = {(one["protection"], one["purifier"]): one for one in data["pictures"]}
    store, compared = Store(bench.store), 0
    for cell in cells:
        place = cell.place
        if (
            place.subject != first
            or place.purifier not in ("", "keep", "smooth")
            or place.seed != 0
        ):
            continue
        for kind, stage in (("given", cell.purified), ("made", cell.exploited)):
            stored = stage and store.get(stage.key)
            if stored is None or stored.images is None:
                continue
            path = target / data["name"] / "pictures" / found[place.parts][kind]
            assert (np.asarray(Image.open(path)) == stored.images.images[0]).all()
            compared += 1
    assert compared > 4
    # The strips of both subjects are on it too, and the plugins' own words.
    assert text.count('<figure class="strip"') == 2
    assert data["components"]
    assert data["command"].startswith("impress-bench run --preset ")


def test_rows_beyond_the_budget_are_named(bench, shown, monkeypatch):
    """As many as fit, in the order of the board; the page names the others."""
    whole = read_album(shown().out)
    rows = list(dict.fromkeys(one.protection for one in whole.pictures))
    assert len(rows) > 2
    result = shown(out="narrow")
    files = {name for one in whole.pictures if one.protection in rows[:2]
             for name in (one.given, one.made) if name}  # fmt: skip
    size = sum((result.out / "pictures" / name).stat().st_size for name in files)
    monkeypatch.setattr(albums, "BUDGET", size)
    redraw(result.out, bench.store)
    album = read_album(result.out)
    assert list(dict.fromkeys(one.protection for one in album.pictures)) == rows[:2]
    assert [one.protection for one in album.left_out] == rows[2:]
    assert {path.name for path in result.out.glob("pictures/*.webp")} == files
    write_page(result.out, bench.tmp_path / "page")
    text, _ = data_of(bench.tmp_path / "page")
    told = text[text.index("Rows without single pictures") :]
    assert f"in the order of the board: {len(rows) - 2}<" in told


def test_merged_parts_keep_the_pictures_of_all(bench, shown):
    whole = read_album(shown(protections=["clean", "shift", "shift[rounds=1]"]).out)
    one = shown(out="one", protections=["clean", "shift"])
    other = shown(out="other", protections=["clean", "shift[rounds=1]"])
    merge([one.out, other.out], bench.tmp_path / "both")
    found = read_album(bench.tmp_path / "both")
    assert {"clean", "shift", "shift[rounds=1]"} < {one.protection for one in found.pictures}
    assert found == whole
    for one in found.pictures:
        for name in filter(None, (one.given, one.made)):
            path = bench.tmp_path / "both" / "pictures" / name
            assert Image.open(io.BytesIO(path.read_bytes())).size == (8, 8)


def test_an_album_that_is_none_is_a_clear_error(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "album.json").write_text('{"pictures": [{"x": 1}]}')
    with pytest.raises(ConfigError, match="is no album of pictures"):
        read_album(tmp_path)


def test_a_page_of_nothing_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no results of a run"):
        write_page(tmp_path, tmp_path / "page")
