"""A run beside published results of the same settings."""

import json
import re
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from impress_bench.benchmark.cli import cli
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs import comparison
from impress_bench.benchmark.harness.runs.comparison import compare

ROLES = {"clean": "clean", "no_purifier": "keep", "purifier": "smooth"}


@pytest.fixture
def measure(bench):
    """The folder of a run of `protections`, whose purifiers play the parts of the paper's."""

    def run(name, protections, **narrowed):
        shown = {"roles": ROLES, "titles": {"shift": "Shift"}}
        return bench.run(name, protections=protections, display=shown, **narrowed).out

    return run


def test_own_rows_stand_among_published_ones(measure):
    published = measure("published", ["clean", "shift"])
    own = measure("own", ["clean", "shift+halved"], subjects=["ben"])
    board = compare(own, [published])
    assert "computed on" not in board.text
    (paired,) = [block for block in board.blocks if block.heading.startswith("Paired")]
    assert [row[:2] for row in paired.rows] == [["Shift + Halved", "Shift"]]
    cells = pd.concat([pd.read_parquet(folder / "cells.parquet") for folder in (own, published)])
    cells = cells[(cells["subject"] == "ben") & (cells["purifier"] == "keep")]
    by = cells.groupby(["metric", "protection"])["value"].mean()
    metric = board.records[0]["metric"]
    (gap,) = [r for r in board.records if r["protection"] == "shift+halved - shift"
              and r["purifier"] == "keep"]  # fmt: skip
    assert gap["n"] == 1
    assert gap["mean"] == pytest.approx(by[metric, "shift+halved"] - by[metric, "shift"])


def test_what_was_computed_otherwise_is_said(measure):
    published = measure("published", ["clean", "shift"])
    own = measure("own", ["clean", "shift+halved"])
    document = json.loads((own / "provenance.json").read_bytes())
    document["device"] = document["preset"]["device"] = "cuda"
    document["packages"]["torch"] = "9.9"
    (own / "provenance.json").write_text(json.dumps(document))
    text = compare(own, [published]).text
    assert "This run was computed on cuda by torch 9.9, the published one on cpu by torch" in text


def test_what_cannot_be_paired_is_refused_with_what_differs(measure, tmp_path):
    published = measure("published", ["clean", "shift"])
    with pytest.raises(ConfigError, match="has no protection that"):
        compare(published, [published])
    with pytest.raises(ConfigError, match="agrees with none"):
        compare(published, [])
    other = json.loads((published / "provenance.json").read_bytes())
    unlike = tmp_path / "unlike"
    unlike.mkdir()
    for path in published.glob("*.parquet"):
        (unlike / path.name).write_bytes(path.read_bytes())
    other["device"] = other["preset"]["device"] = "cuda"
    (unlike / "provenance.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match="has no protection that"):
        compare(published, [unlike])
    other["preset"]["threads"] = 7
    (unlike / "provenance.json").write_text(json.dumps(other))
    with pytest.raises(ConfigError, match=re.escape("preset.threads")):
        compare(published, [unlike])


def test_the_command_prints_markdown_and_records(measure):
    published = str(measure("published", ["clean", "shift"]))
    own = str(measure("own", ["clean", "shift+halved"]))
    told = CliRunner().invoke(cli, ["compare", own, "--with", published])
    assert told.exit_code == 0, told.output
    assert "| Shift + Halved | Shift " in re.sub(" +", " ", told.output)
    records = json.loads(
        CliRunner().invoke(cli, ["compare", own, "--with", published, "--json"]).output
    )
    assert {record["table"] for record in records} >= {"compare"}


def test_a_folder_of_results_stands_for_those_in_it(measure, tmp_path):
    """As leaderboard/results, which the message without any points at."""
    published = measure("published", ["clean", "shift"])
    own = measure("own", ["clean", "shift+halved"])
    (tmp_path / "results").mkdir()
    published.rename(tmp_path / "results" / "a")
    (tmp_path / "results" / "README.md").touch()
    (tmp_path / "results" / "notes").mkdir()
    board = compare(own, [tmp_path / "results"])
    assert board.records == compare(own, [tmp_path / "results" / "a"]).records
    with pytest.raises(ConfigError, match=r"notes holds no results of a run"):
        compare(own, [tmp_path / "results" / "notes"])


def test_where_nothing_agrees_a_preset_that_can_be_compared_is_named(measure):
    published = measure("published", ["clean", "shift"])
    own = measure("own", ["clean", "shift+halved"])
    document = json.loads((published / "provenance.json").read_bytes())
    document["preset"]["threads"] = 7
    for name, told in (("paper", "run --preset paper`"), ("mini", "run --preset submission`"),
                       ("somebody's", "threads: 1 and 7")):  # fmt: skip
        document["preset"]["name"] = name
        (published / "provenance.json").write_text(json.dumps(document))
        with pytest.raises(ConfigError, match=f"{told}$"):
            compare(own, [published])


def test_a_run_that_is_not_there_is_named_first(measure, tmp_path, monkeypatch):
    own = measure("own", ["clean", "shift+halved"])
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(cli, ["compare", "nowhere"])
    assert "nowhere: no such folder" in str(told.exception)
    monkeypatch.setattr(comparison, "__file__", str(tmp_path / "a/b/c/comparison.py"))
    for words in ([], ["--with", "published"]):
        told = CliRunner().invoke(cli, ["compare", str(own), *words])
        assert "call this in a clone of the benchmark's repository" in str(told.exception)


def test_the_word_published_stands_for_the_benchmarks_own_results(measure, tmp_path, monkeypatch):
    """Of the working directory, else of the checkout that the package runs from; a folder of that
    name is given as ./published."""
    published = measure("published", ["clean", "shift"])
    own = str(measure("own", ["clean", "shift+halved"]))
    elsewhere, package = tmp_path / "elsewhere", tmp_path / "package"
    for root, title in ((elsewhere, "here"), (package, "installed")):
        (root / "leaderboard" / "results").mkdir(parents=True)
        shutil.copytree(published, root / "leaderboard" / "results" / title)
    monkeypatch.setattr(comparison, "__file__", str(package / "a/b/c/comparison.py"))

    def beside(*words):
        told = CliRunner().invoke(cli, ["compare", own, *words])
        assert told.exit_code == 0, told.exception
        return told.output.partition("\n")[0].partition(" beside ")[2]

    monkeypatch.chdir(elsewhere)
    assert beside() == beside("--with", "published") == "leaderboard/results/here"
    monkeypatch.chdir(published.parent)
    assert beside() == beside("--with", "published")
    assert beside("--with", "published") == str(package / "leaderboard/results/installed")
    assert beside("--with", "./published") == "published"


def test_names_and_remarks_of_presets_may_differ(measure):
    published = measure("published", ["clean", "shift"])
    own = measure("own", ["clean", "shift+halved"])
    before = compare(own, [published]).records
    document = json.loads((own / "provenance.json").read_bytes())
    remarks = {"name": "another", "title": "A", "description": "B", "boards": ["matrix"]}
    document["preset"] |= {**remarks, "inspections": not document["preset"]["inspections"]}
    (own / "provenance.json").write_text(json.dumps(document))
    assert compare(own, [published]).records == before
