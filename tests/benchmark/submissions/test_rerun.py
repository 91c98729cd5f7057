"""Claims against what comes out again, and how far apart they may be."""

import json
import shutil

import pandas as pd
import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.submissions import repeatability
from impress_bench.benchmark.submissions.lines import MOST
from impress_bench.benchmark.submissions.reading import read
from impress_bench.benchmark.submissions.repeatability import Repeatability, load_repeatability
from impress_bench.benchmark.submissions.rerun import (
    AGAIN,
    _leaning,
    _other_code,
    compare,
    preset_of,
)

KNOWN = Repeatability("as made up", {"psnr": 0.01, "linf": 0.0, "lpips": 1e-5})
OWN = "protection == 'sample-cloak' and metric == '{}' and purifier == 'none'"


@pytest.fixture
def claimed(submission):
    return read(submission).claimed


@pytest.fixture
def again(written, tmp_path):
    """A run that came out the same, to be changed."""
    shutil.copytree(written / "run", tmp_path / "again")
    return tmp_path / "again"


def change(folder, table, where, **values):
    frame = pd.read_parquet(folder / f"{table}.parquet")
    for column, value in values.items():
        rows = frame.query(where).index
        frame.loc[rows, column] = frame.loc[rows, column] + value if value != value or (
            isinstance(value, float)
        ) else value  # fmt: skip
    frame.to_parquet(folder / f"{table}.parquet", index=False)


def told(claimed, folder):
    return [str(complaint) for complaint in compare(claimed, folder, KNOWN)]


def test_the_same_is_accepted(claimed, again):
    assert told(claimed, again) == []


@pytest.mark.parametrize(
    ("metric", "by", "count"),
    [("psnr", 0.09, 0), ("psnr", 0.11, 1), ("clip-top1", 0.1, 0), ("clip-top1", 0.2, 1),
     ("ssim", 0.001, 1)],
)  # fmt: skip
def test_figures_may_differ_by_what_was_measured(claimed, again, metric, by, count):
    """Ten times the largest difference that was seen, and one image of ten; of what was never seen
    to differ, nothing."""
    change(again, "cells", OWN.format(metric), value=by)
    complaints = told(claimed, again)
    assert len(complaints) == count
    assert all("run it again with this version" in line for line in complaints)


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (-1, "{0} are claimed an image too high and 0 an image too low, more than one in 10"),
        (1, "0 are claimed an image too high and {0} an image too low, more than one in 10"),
    ],
)
def test_claims_of_a_share_do_not_lean(claimed, again, by, said):
    """A machine that rounds otherwise moves one cell in ten by an image; a claim that is an image
    off in more cells is not what was measured, whichever side it leans to."""
    table = pd.read_parquet(again / "cells.parquet")
    image = by / 6  # the judge of the preset quick paints six
    rows = table.index[table["metric"] == "clip-top1"]
    for count, complaints in ((2, 0), (3, 1), (len(rows), 1)):  # of 21
        changed = table.copy()
        changed.loc[rows[:count], "value"] += image
        changed.to_parquet(again / "cells.parquet", index=False)
        lines = told(claimed, again)
        assert len(lines) == complaints
        expected = f"cells.csv: clip-top1: of {len(rows)} cells that came out again to an image, "
        assert all(expected + said.format(count) in line for line in lines)


@pytest.mark.parametrize(
    ("cells", "high", "low", "leans"),
    [(9, 1, 0, False), (9, 1, 1, True), (20, 2, 0, False), (20, 0, 3, True), (1, 1, 0, False)],
)
def test_one_cell_in_ten_may_be_an_image_off(cells, high, low, leans):
    assert bool(_leaning([1] * high + [-1] * low + [0] * (cells - high - low))) is leans


@pytest.mark.parametrize("protection", ["identity", "control:grey-head"])
def test_baselines_and_controls_must_come_out_too(claimed, again, protection):
    change(again, "cells", f"protection == '{protection}' and metric == 'psnr'", value=0.2)
    assert any(protection in line for line in told(claimed, again))


def test_another_end_is_named(claimed, again):
    frame = pd.read_parquet(again / "cells.parquet")
    rows = frame.query(OWN.format("psnr")).index
    frame.loc[rows, ["value", "state", "reason"]] = [float("nan"), "failed", "it tore"]
    frame.to_parquet(again / "cells.parquet", index=False)
    (complaint,) = told(claimed, again)
    assert complaint.endswith("is claimed as done and came out as failed: it tore")


def test_claims_of_failures_must_come_out_too(claimed, again):
    """Whoever claims a failure where others would see a poor figure claims what did not happen."""
    cells = claimed.cells.copy()
    own = cells["protection"] == "sample-cloak"
    cells.loc[own, ["value", "state", "reason"]] = ["", "failed", "it tore"]
    lines = told(claimed._replace(cells=cells), again)
    assert all(" sample-cloak " in line for line in lines[:MOST])
    assert all(line.endswith("is claimed as failed and came out as done") for line in lines[:MOST])
    assert lines[MOST:] == [f"sample-cloak: and {own.sum() - MOST} more; {AGAIN}"]


def test_distances_must_come_out_too(claimed, again):
    change(again, "protections", "protection == 'sample-cloak'", linf=1 / 255, lpips=9e-5)
    assert told(claimed, again) == []
    change(again, "protections", "protection == 'sample-cloak'", linf=1 / 255)
    complaints = told(claimed, again)
    assert len(complaints) == 2
    assert all("linf" in line for line in complaints)


def test_many_complaints_are_counted(claimed, again):
    change(again, "cells", "metric == 'psnr' or metric == 'ssim'", value=0.3)
    assert told(claimed, again)[-1].startswith("sample-cloak: and ")


def test_what_ran_is_what_is_pinned(claimed, again):
    place = again / "provenance.json"
    document = json.loads(place.read_text())
    document["components"]["protection sample-cloak"]["distribution"] = "another"
    place.write_text(json.dumps(document))
    (complaint,) = told(claimed, again)
    assert "came from another, not from the distribution pinned, sample-cloak" in complaint


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"source": "0" * 64}, "source"), ({"parameters": {"linf": 0.5, "side": 4}}, "parameters.l")],
)
def test_other_code_under_the_same_version_is_the_cause_named_first(
    claimed, again, note, changes, named
):
    note(again, "protection sample-cloak", **changes)
    change(again, "cells", OWN.format("psnr"), value=0.2)
    first, second = told(claimed, again)
    expected = f"is not the code that the claims were measured with ({named}"
    assert first.startswith(f"sample-cloak: protection sample-cloak: {expected}")
    assert "came out as" in second


def test_sources_of_another_environment_are_compared_as_those_of_this_one(
    written, third_parties, tmp_path, again, note
):
    """A run with an interpreter of its own notes hashes of files, which say nothing elsewhere."""
    site = tmp_path / "env/lib/python3/site-packages"
    site.parent.mkdir(parents=True)
    shutil.copytree(third_parties, site)
    python = tmp_path / "env/bin/python"
    python.parent.mkdir()
    python.touch()
    place = again / "provenance.json"
    claimed = json.loads(place.read_text())
    note(again, "protection sample-cloak", source="of RECORD")
    ran = json.loads(place.read_text())
    ran["preset"]["plugin_python"] = str(python)
    assert _other_code(claimed, ran, "protection sample-cloak") == ""
    code = site / "sample_cloak/checkers.py"
    code.write_text(code.read_text().replace("% 2", "% 3"))
    assert _other_code(claimed, ran, "protection sample-cloak") == "source"


def test_it_is_run_as_it_was_sent_in(claimed):
    preset = preset_of(claimed, "/somewhere/bin/python")
    assert (preset.isolate, preset.plugin_python) == (True, "/somewhere/bin/python")
    cells = claimed.cells[claimed.cells["purifier"] != ""]
    assert set(preset.protections) == set(cells["protection"])
    assert set(preset.purifiers) == set(cells["purifier"])
    assert "random-noise[match=sample-cloak,within=mask]" in preset.protections
    assert (preset.subjects, preset.matrix) == (1, [])


def test_what_was_never_measured_tolerates_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(repeatability, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="figures of the preset paper come out again was not mea"):
        load_repeatability("paper")
    (tmp_path / "paper.json").write_text(json.dumps({"how": "x", "largest": {"psnr": 0.5}}))
    known = load_repeatability("paper")
    assert known.tolerance("psnr") == pytest.approx(5.0)
    assert known.tolerance("ssim") < 1e-6
    assert known.tolerance("ssim", step=0.1) == pytest.approx(0.1)


def test_what_is_shipped_says_how_it_was_measured():
    for path in repeatability.FOLDER.glob("*.json"):
        known = load_repeatability(path.stem)
        assert len(known.how) > 100
        assert all(value >= 0 for value in known.largest.values())
        assert {"psnr", "ssim", "linf", "lpips", "clip-top1"} <= set(known.largest)
