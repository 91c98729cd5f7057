"""The page of a run: its boards, single pictures from the store, and what is left out."""

import json

import pytest
from PIL import Image

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs import pages
from impress_bench.benchmark.harness.runs.reports import write_page


def data_of(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    start = text.index('<script type="application/json" id="data">') + 42
    return text, json.loads(text[start : text.index("</script>", start)])


def test_a_run_has_a_page_with_its_boards_and_pictures(bench):
    result, told = bench.run(), []
    target = bench.tmp_path / "page"
    write_page(result.out, target, bench.store, told.append)
    text, data = data_of(target)
    assert told == []
    for board in (result.out / "boards").glob("*.csv"):
        assert (target / data["name"] / "boards" / board.name).read_bytes() == board.read_bytes()
    done = result.cells[result.cells["state"] == "done"]
    keys = ["task", "subject", "protection", "purifier"]
    places = set(done[keys].itertuples(index=False, name=None))
    shown = {tuple(one[key] for key in keys): one for one in data["pictures"]}
    assert places <= shown.keys()
    for one in shown.values():
        for path in filter(None, (one["given"], one["made"])):
            assert Image.open(target / path).size == (8, 8)
    # The strips of both subjects are on it too, and the plugins' own words.
    assert text.count('<figure class="strip"') == 2
    assert data["components"]
    assert data["command"].startswith("impress-bench run --preset ")


def test_pictures_beyond_the_budget_are_named(bench, monkeypatch):
    result, told = bench.run(), []
    monkeypatch.setattr(pages, "BUDGET", 0)
    write_page(result.out, bench.tmp_path / "page", bench.store, told.append)
    assert told[0].startswith("2 subjects have no single pictures")
    assert data_of(bench.tmp_path / "page")[1]["pictures"] == []


def test_a_store_without_the_results_is_named(bench):
    result, told = bench.run(), []
    write_page(result.out, bench.tmp_path / "page", bench.tmp_path / "empty", told.append)
    assert "holds no result of" in told[-1]


def test_a_page_of_nothing_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no results of a run"):
        write_page(tmp_path, tmp_path / "page")
