"""Runs of parts, merged, against one run of the whole."""

import json
import re
import shutil
from copy import deepcopy

import pandas as pd
import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs.folder import difference
from impress_bench.benchmark.harness.runs.merge import merge


def board_bytes(folder, strips=True):
    """All boards; without strips, since two parts have two where a whole run has one."""
    boards = {path.name: path.read_bytes() for path in sorted((folder / "boards").iterdir())}
    if not strips:
        overview = boards["LEADERBOARD.md"].decode()
        boards["LEADERBOARD.md"] = re.sub(r"!\[(.*)\]\(.*copying.*\)\n\n\1\n\n", "", overview)
    return boards


@pytest.fixture
def whole(bench):
    return bench.run("whole", inspections=True)


@pytest.mark.parametrize(
    "shares",
    [
        [{"subjects": ["ada"]}, {"subjects": ["ben"]}],
        [{"protections": ["clean"]}, {"protections": ["shift"]}],
        [{"purifiers": ["keep"]}, {"purifiers": ["smooth"]}],
    ],
    ids=["subjects", "protections", "purifiers"],
)
def test_parts_together_are_the_whole(bench, whole, shares):
    parts = [
        bench.run(f"part-{at}", inspections=True, store=bench.tmp_path / f"store-{at}", **share).out
        for at, share in enumerate(shares)
    ]
    out = bench.tmp_path / "merged"
    merge(parts, out)
    for name in ("cells", "protections", "inspections", "notes"):
        frames = [pd.read_parquet(folder / f"{name}.parquet") for folder in (out, whole.out)]
        where = [column for column in frames[0] if column not in ("value", "reason", "state")]
        one, other = (frame.sort_values(where).reset_index(drop=True) for frame in frames)
        pd.testing.assert_frame_equal(one, other)
    assert board_bytes(out, strips=False) == board_bytes(whole.out, strips=False)


def test_a_merged_folder_grows(bench, whole):
    out = bench.tmp_path / "merged"
    first = bench.run("first", inspections=True, subjects=["ada"]).out
    merge([first], out)
    assert board_bytes(out) == board_bytes(first)
    merge([out, bench.run("second", inspections=True, subjects=["ben"]).out], out)
    costs = (out / "costs.json").read_bytes()
    merge([out, first], out)  # once more changes nothing
    assert (out / "costs.json").read_bytes() == costs
    cells = pd.read_parquet(out / "cells.parquet")
    assert len(cells) == len(whole.cells)
    assert len(json.loads((out / "provenance.json").read_bytes())["parts"]) == 2


def test_costs_add_up(bench):
    parts = [bench.run(name, subjects=[name]).out for name in ("ada", "ben")]
    merge(parts, bench.tmp_path / "merged")
    counts = [
        json.loads((folder / "costs.json").read_bytes())["kinds"]["exploit"]["stages"]
        for folder in (*parts, bench.tmp_path / "merged")
    ]
    assert counts[0] + counts[1] == counts[2] > 0


def test_strips_of_one_name_are_both_kept(bench):
    names = ("clean", "shift")
    parts = [bench.run(name, protections=[name], subjects=["ada"]).out for name in names]
    merge(parts, bench.tmp_path / "merged")
    pictures = {path.read_bytes() for path in (bench.tmp_path / "merged" / "figures").iterdir()}
    strips = {
        path.read_bytes() for part in parts for path in (part / "figures").glob("copying-*.png")
    }
    assert len(strips) == 2
    assert strips <= pictures


def test_what_was_done_beats_what_failed_or_was_not_run(bench):
    done = bench.run("done").out
    stopped = bench.tmp_path / "stopped"
    shutil.copytree(done, stopped)
    cells = pd.read_parquet(stopped / "cells.parquet")
    cells.loc[cells.index[::2], ["value", "state", "reason"]] = [float("nan"), "missing", "not yet"]
    cells.loc[cells.index[1::4], ["value", "state", "reason"]] = [float("nan"), "failed", "oh"]
    cells.to_parquet(stopped / "cells.parquet", index=False)
    for parts in ([stopped, done], [done, stopped]):
        merge(parts, bench.tmp_path / "merged")
        assert board_bytes(bench.tmp_path / "merged") == board_bytes(done)


def test_different_results_of_one_cell_are_refused(bench):
    done = bench.run("done").out
    other = bench.tmp_path / "other"
    shutil.copytree(done, other)
    cells = pd.read_parquet(other / "cells.parquet")
    control, measured = cells.index[0], cells.index[-1]
    assert cells.loc[control, "protection"] == "control:blank"
    cells.loc[control, "value"] += 1
    cells.to_parquet(other / "cells.parquet", index=False)
    merge(
        [done, other], bench.tmp_path / "merged"
    )  # every part runs the controls: the first counts
    assert board_bytes(bench.tmp_path / "merged") == board_bytes(done)
    cells.loc[measured, "value"] *= 1 + 1e-12  # another machine
    cells.to_parquet(other / "cells.parquet", index=False)
    merge([done, other], bench.tmp_path / "merged")
    cells.loc[measured, "value"] += 1
    cells.to_parquet(other / "cells.parquet", index=False)
    with pytest.raises(ConfigError, match=r"both measured copying, ben.*different results"):
        merge([done, other], bench.tmp_path / "merged")


def test_a_protection_done_in_one_part_has_not_failed(bench):
    done = bench.run("done").out
    failed = bench.tmp_path / "failed"
    shutil.copytree(done, failed)
    protections = pd.read_parquet(failed / "protections.parquet")
    row = protections[protections["protection"] == "shift"].iloc[[0]]
    row = row.assign(
        image="", linf=float("nan"), l2=float("nan"), lpips=float("nan"), state="failed"
    )
    row.to_parquet(failed / "protections.parquet", index=False)
    merge([failed, done], bench.tmp_path / "merged")
    merged = pd.read_parquet(bench.tmp_path / "merged" / "protections.parquet")
    assert set(merged["state"]) == {"done"}
    assert len(merged) == len(protections)


def test_three_parts_are_all_compared(bench):
    """The second and the third differ in what the first does not have."""
    parts = [
        bench.run("one", protections=["clean"]).out,
        bench.run("two", protections=["shift"], subjects=["ada"]).out,
        bench.run("three", protections=["shift"], subjects=["ben"]).out,
    ]
    document = json.loads((parts[2] / "provenance.json").read_bytes())
    document["components"]["protection shift"]["source"] = "0" * 64
    (parts[2] / "provenance.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=r"two and .*three differ in protection shift\.source"):
        merge(parts, bench.tmp_path / "merged")


def test_unlike_settings_and_code_are_refused(bench):
    one = bench.run("one", subjects=["ada"]).out
    other = bench.run(
        "other", subjects=["ben"], settings={"protections": {"shift": {"rounds": 3}}}
    ).out
    with pytest.raises(ConfigError, match=r"differ in preset\.settings\.protections"):
        merge([one, other], bench.tmp_path / "merged")
    third = bench.tmp_path / "third"
    shutil.copytree(one, third)
    document = json.loads((third / "provenance.json").read_bytes())
    document["components"]["protection shift"]["source"] = "0" * 64
    (third / "provenance.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=r"differ in protection shift\.source"):
        merge([one, third], bench.tmp_path / "merged")


def test_other_machines_compute_other_subjects_not_the_same(bench):
    """Comparisons are within one subject: another device or torch may alter it as a whole alone."""
    ada, ben = (bench.run(name, subjects=[name]).out for name in ("ada", "ben"))
    document = json.loads((ben / "provenance.json").read_bytes())
    document["device"] = document["preset"]["device"] = "cuda"
    document["packages"]["torch"] = "2.0"
    document["components"]["protection shift"]["libraries"]["numpy"] = "0.1"
    (ben / "provenance.json").write_text(json.dumps(document))
    merge([ada, ben], bench.tmp_path / "merged")
    cells = pd.read_parquet(bench.tmp_path / "merged" / "cells.parquet")
    assert set(cells["subject"]) == {"ada", "ben"}
    assert set(cells["state"]) == {"done"}
    again = bench.run("again", subjects=["ben"]).out
    for had in (ben, bench.tmp_path / "merged"):
        with pytest.raises(ConfigError, match=r"device: .* both have copying, ben;.* --subjects"):
            merge([had, again], bench.tmp_path / "refused")
    merge([bench.tmp_path / "merged", ada, ben], bench.tmp_path / "merged")  # nothing new
    origins = json.loads((bench.tmp_path / "merged" / "provenance.json").read_bytes())["parts"]
    assert [one["subjects"] for one in origins] == [[["copying", "ada"]], [["copying", "ben"]]]


def test_versions_of_libraries_differ_where_they_are_asked_for(bench):
    """Submissions come from other machines; what is compared within a subject must agree."""
    part = bench.run("one", protections=["shift+halved"]).out
    one = json.loads((part / "provenance.json").read_bytes())
    other = deepcopy(one)
    assert not difference(one, other)
    adaptation = other["components"]["protection shift+halved"]["adaptations"][0]
    adaptation["libraries"]["numpy"] = "0.1"
    assert "adaptations" in difference(one, other)
    assert not difference(one, other, libraries=False)
    adaptation["source"] = "0" * 64
    assert "adaptations" in difference(one, other, libraries=False)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere holds no results of a run"):
        merge([tmp_path / "nowhere"], tmp_path / "merged")
