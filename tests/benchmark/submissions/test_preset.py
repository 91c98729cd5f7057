"""A protection measured by the preset `submission` beside published results of the preset `mini`:
real presets, cells that nobody measured."""

import json
import shutil

import pandas as pd
import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs.comparison import compare
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.submissions.measured import keep
from impress_bench.benchmark.submissions.publishing import placing
from impress_bench.benchmark.submissions.publishing import publish as publishing
from impress_bench.benchmark.submissions.writing import submit

PIN = {"git": "https://example.org/sample-cloak.git", "commit": "0123456789" * 4}
NOISE = "random-noise[match=sample-cloak,within=mask]"


@pytest.fixture
def folder(of_mini, plugins, tmp_path):
    """A copy, of which files may be changed."""
    shutil.copytree(of_mini, tmp_path / "of-mini")
    return tmp_path / "of-mini"


@pytest.fixture(scope="module")
def published(of_mini, third_parties, tmp_path_factory):
    """What `publish` makes of it, with the submission measured again."""
    folder = tmp_path_factory.mktemp("published") / "of-mini"
    shutil.copytree(of_mini, folder)
    keep(folder / "again", folder / "submissions" / "sample-cloak", folder / "measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(third_parties))
        publishing.publish(
            folder / "results", folder / "submissions", folder / "LEADERBOARD.md",
            folder / "measured",
        )  # fmt: skip
    return folder


def sent(folder, name, run):
    """A submission with the figures of a run that measured it again."""
    part = read_part(run)
    claim = publishing._accepted(folder / "submissions" / name)
    return claim._replace(
        origin=part.origins[0], cells=part.frames.cells, distances=part.frames.protections,
        meta=part.meta,
    )  # fmt: skip


def home(folder, one):
    """In whose tables it stands; None where in nobody's."""
    parts = [read_part(path) for path in sorted((folder / "results").iterdir())]
    return placing.home(one, parts)


def scores(run, protection, purifier, metric="psnr"):
    """One value per subject: the mean over its seeds."""
    cells = pd.read_parquet(run / "cells.parquet")
    chosen = (cells["protection"] == protection) & (cells["purifier"] == purifier)
    return cells[chosen & (cells["metric"] == metric)].groupby("subject")["value"].mean()


def records(board, table, protection, purifier, task="malicious-editing"):
    return [
        one for one in board if one["task"] == task and one["table"] == table
        and one["protection"] == protection and one["purifier"] == purifier
    ]  # fmt: skip


def change(run, **changes):
    """Change the provenance of a run."""
    place = run / "provenance.json"
    document = json.loads(place.read_text())
    for path, value in changes.items():
        where = document
        *way, last = path.split("__")
        for key in way:
            where = where[key]
        where[last] = value
    place.write_text(json.dumps(document))


def test_it_stands_at_a_glance_beside_the_published_ones(published):
    folder, page = published, (published / "LEADERBOARD.md").read_text()
    assert page.count("\n## Tables 1 to 6") == page.count("\n- Preset `") == 1
    boards = folder / "results" / "mini" / "boards"
    glance = json.loads((boards / "glance.json").read_text())
    for purifier in ("none", "auto"):
        (takes,) = records(glance, "glance", f"{NOISE} - sample-cloak", purifier)
        expected = (
            scores(folder / "again", NOISE, purifier)
            - scores(folder / "again", "sample-cloak", purifier)
        )  # fmt: skip
        assert takes["n"] == 6
        assert takes["mean"] == pytest.approx(expected.mean())
        (rival,) = records(
            glance, "glance",
            "random-noise[match=photoguard-encoder,within=mask] - photoguard-encoder", purifier,
        )  # fmt: skip
        assert rival["n"] == 6
    assert {one["n"] for one in records(
        glance, "glance", f"{NOISE} - sample-cloak", "none", "style-mimicry"
    )} == {3}  # fmt: skip
    rows = [line for line in page.splitlines() if line.startswith("| sample-cloak ")]
    assert rows
    assert not any("not run |" in line for line in rows)


def test_published_rows_stay_as_they_are(published):
    """Clean images under purifiers, which `mini` leaves out in mimicry, are no part of its table
    for three of six artists."""
    matrix = published / "results" / "mini" / "boards" / "matrix-style-mimicry.json"
    rows = json.loads(matrix.read_text())
    clean = {one["purifier"] for one in rows
             if one["protection"] == "identity" and one["state"] == "done"}  # fmt: skip
    assert clean == {"none"}
    assert {one["n"] for one in rows if one["protection"] == "glaze" and one["mean"]} == {6}


def test_a_purifier_meets_the_protections_published_there(folder, made_up, tmp_path):
    """Not glaze on photos, which the preset crosses it with and `mini` does not run."""
    purified = {"preset": "submission", "purifiers": ["none", "sample-purifier"]}
    run = made_up(tmp_path / "run", None, **purified)
    submit("sample-purifier", run, folder / "submissions", **PIN)
    one = sent(folder, "sample-purifier", run)
    cells = placing.added(one, home(folder, one)).cells
    assert set(cells["purifier"]) == {"sample-purifier"}
    assert set(cells[cells["task"] == "malicious-editing"]["protection"]) == {
        "identity", "photoguard-diffusion", "random-noise[match=photoguard-diffusion,within=mask]",
    }  # fmt: skip


@pytest.mark.parametrize(
    "unlike",
    [
        {"models__target__digest": "0" * 64},
        {"components__purifier impress in style-mimicry__parameters__lr": 0.5},
        {"components__task malicious-editing__source": "0" * 64},
    ],
)
def test_what_was_measured_otherwise_stands_apart(folder, unlike):
    one = sent(folder, "sample-cloak", folder / "again")
    assert home(folder, one).folder.name == "mini"
    change(folder / "results" / "mini", **unlike)
    assert home(folder, one) is None


def test_other_seeds_stand_apart(folder):
    place = folder / "results" / "mini" / "cells.parquet"
    frame = pd.read_parquet(place)
    frame[frame["seed"] == 0].to_parquet(place, index=False)
    assert home(folder, sent(folder, "sample-cloak", folder / "again")) is None


def test_of_results_that_agree_those_with_most_subjects_in_common_are_taken(folder):
    narrow = folder / "results" / "a-part"
    shutil.copytree(folder / "results" / "mini", narrow)
    frame = pd.read_parquet(narrow / "cells.parquet")
    one = frame["subject"] == frame["subject"].iloc[-1]
    frame[one].to_parquet(narrow / "cells.parquet", index=False)
    assert home(folder, sent(folder, "sample-cloak", folder / "again")).folder.name == "mini"
    assert compare(folder / "run", [folder / "results"]).title.endswith("results/mini")


def test_a_run_of_it_is_compared_with_the_published_ones(folder):
    board = compare(folder / "run", [folder / "results"])
    assert "No noise" not in board.text
    assert "Read are the seeds" not in board.text
    paired = {block.heading.partition(":")[0]: block for block in board.blocks
              if block.heading.startswith("Paired")}  # fmt: skip
    block = paired["Paired, Malicious editing"]
    assert block.headers == ["This run", "Published", "No purifier", "Auto", "IMPRESS"]
    names = ("sample-cloak", "photoguard-encoder")
    for purifier in ("none", "auto", "impress"):
        (gap,) = records(board.records, "compare", " - ".join(names), purifier)
        run, published = folder / "run", folder / "results" / "mini"
        expected = scores(run, names[0], purifier) - scores(published, names[1], purifier)
        assert gap["mean"] == pytest.approx(expected.mean())
    (takes,) = records(board.records, "glance", f"{NOISE} - sample-cloak", "auto")
    assert takes["n"] == 6
    clean = [one for one in board.records if one["protection"] == "identity"]
    assert {(one["task"], one["state"], one["n"]) for one in clean} == {
        ("style-mimicry", "done", 6), ("malicious-editing", "missing", 0),
    }  # fmt: skip


def test_a_run_without_noise_says_which_row_to_run(folder, made_up, tmp_path):
    run = made_up(tmp_path / "run", ["identity", "sample-cloak"], preset="submission")
    told = compare(run, [folder / "results"]).text
    assert "No noise as visible as Sample cloak was run" in told
    rows = f"identity,sample-cloak,{NOISE}"
    assert f"`impress-bench run --preset submission --protections '{rows}' --out {run}`" in told


def test_seeds_that_one_has_alone_are_left_out(folder):
    place = folder / "run" / "cells.parquet"
    frame = pd.read_parquet(place)
    frame[frame["seed"] == 1].to_parquet(place, index=False)
    board = compare(folder / "run", [folder / "results"])
    assert "Read are the seeds that both have: 1." in board.text
    published = pd.read_parquet(folder / "results" / "mini" / "cells.parquet")
    published[published["seed"] == 1].to_parquet(folder / "results/mini/cells.parquet", index=False)
    alone = compare(folder / "run", [folder / "results"])
    assert alone.records == board.records
    published[published["seed"] == 0].to_parquet(folder / "results/mini/cells.parquet", index=False)
    with pytest.raises(ConfigError, match=r"shares no subject with .*, or no seed of one"):
        compare(folder / "run", [folder / "results"])
