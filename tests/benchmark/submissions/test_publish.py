"""The page at the root and the boards behind it, from stored results and submissions."""

import json
import re

import pandas as pd
import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions.publish import publish
from impress_bench.benchmark.submissions.reading import read
from impress_bench.benchmark.submissions.writing import submit

PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}


@pytest.fixture
def results(tmp_path, made_up):
    made_up(tmp_path / "results" / "quick", ["identity", "photoguard-encoder"], 0.5)
    return tmp_path / "results"


@pytest.fixture
def submissions(tmp_path, made_up):
    run = made_up(tmp_path / "run", ["identity", "sample-cloak"], 0.7)
    submit("sample-cloak", run, tmp_path / "submissions", **PIN)
    return tmp_path / "submissions"


def test_a_submission_stands_beside_the_others(results, submissions, tmp_path):
    page = tmp_path / "LEADERBOARD.md"
    publish(results, tmp_path / "none", page)
    before = page.read_text()
    assert "sample-cloak" not in before
    assert "PhotoGuard (encoder)" in before
    assert "come from a miniature" in before
    written = publish(results, submissions, page)
    after = page.read_text()
    assert "sample-cloak" in after
    assert "#### sample-cloak: " in after
    assert "sample-cloak" not in before
    claimed = pd.read_csv(submissions / "sample-cloak" / "cells.csv")
    value = claimed.query("metric == 'psnr' and purifier == 'none'")["value"].item()
    matrix = json.loads(
        (results / "quick" / "boards" / "matrix-malicious-editing.json").read_text()
    )
    shown = [
        row["mean"] for row in matrix
        if row["protection"] == "sample-cloak" and row["purifier"] == "none"
        and row["metric"] == "psnr"
    ]  # fmt: skip
    assert shown == [pytest.approx(value)]
    block = after.partition("#### sample-cloak: ")[2].partition("####")[0]
    psnr = next(line for line in block.splitlines() if line.startswith("| PSNR "))
    assert f"{value:.3f}" in psnr
    for path in written:
        assert path.exists()
    for target in re.findall(r"\]\(([^)]+)\)", after):
        assert (tmp_path / target).exists(), target


def test_twice_gives_the_same_bytes(results, submissions, tmp_path):
    page = tmp_path / "LEADERBOARD.md"
    first = [path.read_bytes() for path in publish(results, submissions, page)]
    assert [path.read_bytes() for path in publish(results, submissions, page)] == first


def test_unlike_provenance_shares_no_table(results, submissions, tmp_path):
    place = results / "quick" / "provenance.json"
    document = json.loads(place.read_text())
    document["models"]["target"]["digest"] = "0" * 64
    place.write_text(json.dumps(document))
    page = tmp_path / "LEADERBOARD.md"
    publish(results, submissions, page)
    assert "sample-cloak" not in (results / "quick" / "boards" / "table-2.md").read_text()
    sections = page.read_text().split("\n## ")[1:]
    assert ["sample-cloak" in section for section in sections] == [False, True]
    assert "PhotoGuard" not in sections[1]


def test_a_later_version_still_publishes_what_was_accepted(results, submissions, tmp_path):
    folder = submissions / "sample-cloak"
    text = (folder / "submission.toml").read_text()
    document = json.loads((folder / "provenance.json").read_text())
    document["packages"]["impress-bench"] = "0.0.1"
    (folder / "provenance.json").write_text(json.dumps(document))
    digest = sha256((folder / "provenance.json").read_bytes())
    text = re.sub(r'provenance = ".*"', f'provenance = "{digest}"', text)
    (folder / "submission.toml").write_text(
        re.sub(r'benchmark = ".*"', 'benchmark = "0.0.1"', text)
    )
    assert any("not this version" in str(complaint) for complaint in read(folder).complaints)
    publish(results, submissions, tmp_path / "LEADERBOARD.md")
    assert "impress-bench 0.0.1" in (tmp_path / "LEADERBOARD.md").read_text()


def test_what_validate_refuses_is_not_published(results, submissions, tmp_path):
    (submissions / "sample-cloak" / "cells.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"claims\.cells"):
        publish(results, submissions, tmp_path / "LEADERBOARD.md")


def test_a_folder_that_holds_no_results_is_named(results, tmp_path):
    (results / "notes").mkdir()
    with pytest.raises(ConfigError, match="notes holds no results of a run"):
        publish(results, tmp_path / "none", tmp_path / "LEADERBOARD.md")
