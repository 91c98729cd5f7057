"""The page at the root and the boards behind it, from stored results and submissions."""

import json
import re
import shutil

import pandas as pd
import pytest

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.models.digest import folder_digest
from impress_bench.benchmark.submissions.measured import keep
from impress_bench.benchmark.submissions.publishing import publish as publishing
from impress_bench.benchmark.submissions.publishing.publish import CLAIMED
from impress_bench.benchmark.submissions.reading import read
from impress_bench.benchmark.submissions.writing import submit

PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}


@pytest.fixture(scope="module")
def published(written, third_parties, tmp_path_factory):
    """Results of our own, to be copied."""
    from impress_bench.benchmark.harness.runs.folder import read_part

    folder = tmp_path_factory.mktemp("published") / "results" / "quick"
    shutil.copytree(written / "run", folder)
    part = read_part(folder)
    for name in ("cells", "protections"):
        frame = getattr(part.frames, name)
        ours = frame["protection"].str.replace("sample-cloak", "photoguard-encoder")
        frame["protection"] = ours
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder.parent


@pytest.fixture
def results(published, tmp_path):
    shutil.copytree(published, tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def submissions(submission):
    return submission.parent


@pytest.fixture
def publish(results, submissions, tmp_path):
    """Publishes what is in the folders and gives the page."""

    def write(submissions=submissions):
        page = tmp_path / "LEADERBOARD.md"
        write.paths = publishing.publish(results, submissions, page, tmp_path / "measured")
        return page.read_text()

    return write


def sections(page):
    """The sets of results on a page, without what explains the page."""
    own = ("How to read this page", "The miniature")
    return [part for part in page.split("\n## ")[1:] if part.partition("\n")[0] not in own]


def test_a_claim_stands_apart_from_measurements(publish, results, submissions, tmp_path):
    before = publish(tmp_path / "none")
    assert "sample-cloak" not in before
    assert "#### photoguard-encoder: " in before
    ours, claimed = sections(publish())
    assert "sample-cloak" not in ours
    assert claimed.startswith(CLAIMED)
    assert "nobody else has measured them" in claimed
    assert "#### sample-cloak: " in claimed
    assert "#### photoguard-encoder: " not in claimed
    assert f"pack, digest {folder_digest(PACK)[:12]}" in claimed
    assert "sample-cloak" not in (results / "quick" / "boards" / "table-2.md").read_text()


def test_what_was_measured_again_stands_beside_ours(
    publish, results, submissions, made_up, tmp_path
):
    run = made_up(tmp_path / "again", start=0.2)
    keep(run, submissions / "sample-cloak", tmp_path / "measured")
    page = publish()
    assert len(sections(page)) == 1
    assert CLAIMED not in page
    measured = pd.read_parquet(run / "cells.parquet")
    where = "protection == 'sample-cloak' and metric == 'psnr' and purifier == 'none'"
    value = measured.query(where)["value"].item()
    claimed = pd.read_csv(submissions / "sample-cloak" / "cells.csv").query(where)["value"].item()
    assert abs(value - claimed) > 0.05
    matrix = json.loads(
        (results / "quick" / "boards" / "matrix-malicious-editing.json").read_text()
    )
    shown = [
        row["mean"] for row in matrix
        if row["protection"] == "sample-cloak" and row["purifier"] == "none"
        and row["metric"] == "psnr"
    ]  # fmt: skip
    assert shown == [pytest.approx(value)]
    assert "sample-cloak" in (results / "quick" / "boards" / "visibility.md").read_text()
    for path in publish.paths:
        assert path.exists()
    for target in re.findall(r"\]\(([^)#]+)\)", page):
        assert (tmp_path / target).exists(), target


def test_what_came_out_differently_stays_a_claim_with_a_flag(
    results, submissions, made_up, tmp_path
):
    run, measured = made_up(tmp_path / "again", ["identity", "sample-cloak"]), tmp_path / "measured"
    told = "sample-cloak: cells.csv: is claimed as 1 and <b>came</b> out as 2"

    def publish():
        paths = publishing.publish(
            results, submissions, tmp_path / "LEADERBOARD.md", measured, tmp_path / "html"
        )
        flags = (results / "quick" / "boards" / "flags.md").read_text()
        assert paths
        return (tmp_path / "LEADERBOARD.md").read_text(), flags

    keep(run, submissions / "sample-cloak", measured)
    keep(run, submissions / "sample-cloak", measured, [told, "more"])
    assert [path.name for path in (measured / "sample-cloak").iterdir()] == ["submission.json"]
    page, ours = publish()
    claimed = page[page.index(CLAIMED) :]
    assert "- `sample-cloak` was measured again, and did not come out as claimed" in claimed
    assert "nobody else has measured them" not in page
    assert "not reproduced" not in ours.partition("Not checked")[0]
    shown = (tmp_path / "html" / "claimed-sample-cloak.html").read_text()
    escaped = told.replace("<", "&lt;").replace(">", "&gt;")
    assert f"{escaped}, and 1 more" in shown
    assert "<b>came" not in shown

    keep(run, submissions / "sample-cloak", measured)
    page, ours = publish()
    assert CLAIMED not in page
    clear = [line for line in ours.splitlines() if line.startswith("Clear: ")]
    assert clear
    assert all("not reproduced" in line.partition(" Not checked")[0] for line in clear)


def test_a_measurement_counts_for_what_it_measured_alone(publish, submissions, made_up, tmp_path):
    """Another pin, another figure: whatever is changed makes it a claim again."""
    run = made_up(tmp_path / "again", start=0.2)
    keep(run, submissions / "sample-cloak", tmp_path / "measured")
    text = (submissions / "sample-cloak" / "submission.toml").read_text()
    changed = text.replace(PIN["commit"], PIN["commit"][::-1])
    (submissions / "sample-cloak" / "submission.toml").write_text(changed)
    assert CLAIMED in publish()


def test_the_pages_keep_claims_apart_too(results, submissions, tmp_path):
    paths = publishing.publish(
        results, submissions, tmp_path / "LEADERBOARD.md", tmp_path / "measured", tmp_path / "html"
    )
    assert paths[-1] == tmp_path / "html" / "index.html"
    ours = paths[-1].read_text()
    claimed = (tmp_path / "html" / "claimed-sample-cloak.html").read_text()
    assert 'data-protection="sample-cloak"' in claimed
    assert 'data-protection="sample-cloak"' not in ours
    assert f'href="claimed-sample-cloak.html">{CLAIMED}' in ours
    summary = read(submissions / "sample-cloak").submission.summary
    assert summary.split("'")[0] in claimed
    assert "nobody else has measured them" in claimed


def test_twice_gives_the_same_bytes(publish):
    publish()
    first = [path.read_bytes() for path in publish.paths]
    publish()
    assert [path.read_bytes() for path in publish.paths] == first


@pytest.mark.parametrize("share", ["one of each", "all"])
def test_cells_that_are_not_done_are_published(publish, submissions, made_up, tmp_path, share):
    ended = ["failed", "skipped", "over-budget", "timeout"]
    # Of the second task: the last 36 are the noise's, those before them the plugin's.
    places = range(309 - 72, 309 - 36) if share == "all" else range(268, 272)
    states = [(at, ended[at % 4 if share != "all" else 0]) for at in places]
    run = made_up(tmp_path / share, states=states)
    submit("sample-cloak", run, submissions, force=True, **PIN)
    claimed = read(submissions / "sample-cloak").claimed
    assert (claimed.cells["state"] != "done").sum() == len(states)
    assert "sample-cloak" in publish()


@pytest.mark.parametrize("file", ["target", "pack"])
def test_unlike_provenance_shares_no_table(publish, results, submissions, made_up, tmp_path, file):
    run = made_up(tmp_path / "again", start=0.2)
    keep(run, submissions / "sample-cloak", tmp_path / "measured")
    place = results / "quick" / "provenance.json"
    document = json.loads(place.read_text())
    if file == "pack":
        document["pack"] = "0" * 64
    else:
        document["models"]["target"]["digest"] = "0" * 64
    place.write_text(json.dumps(document))
    page = publish()
    assert "sample-cloak" not in (results / "quick" / "boards" / "table-2.md").read_text()
    parts = sections(page)
    assert ["sample-cloak" in section for section in parts] == [False, True]
    assert "PhotoGuard" not in parts[1]


def test_a_later_version_still_publishes_what_was_accepted(publish, submissions):
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
    page = publish()
    assert "impress-bench 0.0.1" in page
    assert "they are of version 0.0.1, not " in page


def test_what_validate_refuses_is_not_published(publish, submissions):
    (submissions / "sample-cloak" / "cells.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"claims\.cells"):
        publish()


def test_files_beside_the_folders_are_not_published(publish, submissions):
    for path in (submissions / "sample-cloak").iterdir():
        (submissions / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match=r"cells\.csv: does not belong here"):
        publish()


def test_a_folder_that_holds_no_results_is_named(publish, results):
    (results / "notes").mkdir()
    with pytest.raises(ConfigError, match="notes holds no results of a run"):
        publish()
