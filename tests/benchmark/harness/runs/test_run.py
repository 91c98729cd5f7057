"""What a run measures, and what a plugin that misbehaves costs."""

import importlib
import json

import numpy as np
import pandas as pd
import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.execution.local import LocalExecutor
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.reports import report
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.harness.runs.tables import load_frames
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.leaderboard.schema import NOTES

CELL = ["task", "subject", "protection", "purifier", "seed"]


def states(result):
    """State by protection and purifier; they must agree over subjects and metrics."""
    grouped = result.cells.groupby(["protection", "purifier"])["state"]
    assert (grouped.nunique() == 1).all()
    return grouped.first().to_dict()


def reasons(result, protection):
    cells = result.cells
    return set(cells[cells["protection"] == protection]["reason"])


def board_bytes(result):
    folder = result.out / "boards"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_cell_is_measured(bench):
    result = bench.run(seeds=[0, 1])
    assert result.exit_code == 0
    assert list(result.cells) == [*CELL, "metric", "value", "state", "reason"]
    # Two subjects, two seeds, two metrics; two protections by two purifiers and one control.
    assert len(result.cells) == 2 * 2 * 2 * (2 * 2 + 1)
    assert set(result.cells["state"]) == {"done"}
    assert np.isfinite(result.cells["value"]).all()
    assert set(result.cells["protection"]) == {"clean", "shift", "control:blank"}
    assert result.states == {"done": 2 * 2 * 5}


def test_measurements_are_of_the_published_images(bench):
    protections = bench.run().protections.set_index(["subject", "protection", "image"])
    assert len(protections) == 2 * 2 * 2
    assert protections.loc[("ada", "clean", "one"), ["linf", "l2", "lpips"]].eq(0).all()
    shift = protections.loc[("ada", "shift", "one")]
    assert shift["linf"] == pytest.approx(8 / 255)
    assert shift["l2"] == pytest.approx(8 / 255 * np.sqrt(8 * 8 * 3))


def test_clean_cell_meets_its_reference(bench):
    cells = bench.run().cells.set_index(["subject", "protection", "purifier", "metric"])["value"]
    assert cells["ada", "clean", "keep", "nearness"] == 0
    assert cells["ada", "shift", "keep", "nearness"] < 0


def test_run_holds_what_it_promises(bench):
    out = bench.run().out
    for name in ("cells", "protections", "inspections"):
        assert (out / f"{name}.parquet").is_file()
    assert (out / "boards" / "LEADERBOARD.md").is_file()
    origin = json.loads((out / "provenance.json").read_text())
    assert origin["models"]["target"] == {"name": "tiny", "digest": "tiny-1"}
    assert origin["components"]["protection shift"]["parameters"]["rounds"] == 2
    assert origin["packages"]["torch"]
    assert origin["preset"]["threads"] == 1
    costs = json.loads((out / "costs.json").read_text())
    assert costs["kinds"]["protect"]["stages"] == 4
    assert "protect: protection shift" in costs["components"]


def test_a_gpu_that_is_not_there_is_named_before_anything_runs(bench, monkeypatch, in_process):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"device: torch sees no GPU; run on a machine with one"):
        bench.run(device="cuda")
    assert "executed" not in bench.log()
    where = ("--store", bench.store, "--out", bench.tmp_path / "run")
    code, _, errors = in_process("run", "--preset", bench.preset_file, "--device", "cuda", *where)
    assert (code, "--device: torch sees no GPU" in errors) == (2, True), errors
    code, told, errors = in_process(
        "plan", "--preset", bench.preset_file, "--device", "cuda", "--store", bench.store
    )
    assert code == 0
    assert "nothing is timed: torch sees no GPU" in told + errors


def test_again_executes_nothing_and_changes_no_byte(bench):
    first = bench.run()
    again = bench.run("again")
    assert set(first.stages) == {"executed"}
    assert again.stages == {"reused": first.stages["executed"]}
    assert board_bytes(first) == board_bytes(again)
    assert first.cells.equals(again.cells)
    costs = [json.loads((result.out / "costs.json").read_text()) for result in (first, again)]
    assert costs[0] == costs[1]


def test_other_cells_change_nothing(bench):
    """Nothing depends on order or on which other cells run, global random state included."""
    alone = bench.run("alone", protections=["careless"], purifiers=["keep"], subjects=["ben"])
    among = bench.run(
        "among",
        store=bench.tmp_path / "other",
        protections=["shift", "clean", "careless"],
        purifiers=["smooth", "keep"],
        seeds=[3, 0],
        subjects=3,
    )
    joined = alone.cells.merge(among.cells, on=[*CELL, "metric"], suffixes=("", "_among"))
    assert len(joined) == len(alone.cells)
    assert (joined["value"] == joined["value_among"]).all()


def test_exploit_noise_is_paired(bench):
    """The difference between two cells is that of their images: the noise is the same."""
    result = bench.run(protections=["clean"], purifiers=["keep", "smooth"], seeds=[0, 1])
    cells = result.cells.set_index(["subject", "protection", "purifier", "seed", "metric"])
    nearness = cells["value"].xs("nearness", level="metric")
    assert nearness["ada", "clean", "keep", 0] == nearness["ada", "clean", "keep", 1] == 0
    spread = cells["value"].xs("spread", level="metric")
    assert spread["ada", "clean", "keep", 0] != spread["ada", "clean", "keep", 1]


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("loud", "over-budget", "protection loud: linf is 0.07843, its budget 0.003922"),
        (
            "not-a-number",
            "failed",
            "protection not-a-number: returned no valid result: images h",
        ),
        (
            "unrounded",
            "failed",
            "protection unrounded: returned no valid result: images a",
        ),
        (
            "miscounting",
            "failed",
            "protection miscounting: returned no valid result: note odd is not one finite value",
        ),
        ("raising", "failed", "protection raising: failed in protect (RuntimeError: the paint ran"),
        (
            "unbuildable",
            "failed",
            "protection unbuildable: could not be created (ValueError: no ",
        ),
        ("crash", "failed", "protection crash: could not be imported (ImportError: libpaint.so"),
        ("choosy", "skipped", "protection choosy: does not apply: "),
    ],
)
def test_bad_protection_costs_its_own_cells(bench, name, state, reason):
    result = bench.run(protections=[name, "shift", f"matched[match={name}]"])
    found = states(result)
    for purifier in ("keep", "smooth"):
        assert found["shift", purifier] == "done"
        assert found[name, purifier] == state
        assert found[f"matched[match={name}]", purifier] == state
    assert all(text.startswith(reason) and "\n" not in text for text in reasons(result, name))
    assert all(name in text for text in reasons(result, f"matched[match={name}]"))
    assert result.cells[result.cells["protection"] == name]["value"].isna().all()
    assert result.exit_code == (0 if state == "skipped" else 1)
    assert (result.out / "boards" / "LEADERBOARD.md").is_file()


def test_over_budget_is_measured_and_kept(bench):
    result = bench.run(protections=["loud"])
    assert set(result.protections["state"]) == {"over-budget"}
    assert np.allclose(result.protections["linf"], 20 / 255)
    assert "executed" not in bench.run(protections=["loud"]).stages


def test_failures_are_never_reused(bench):
    first = bench.run(protections=["raising"])
    again = bench.run(protections=["raising"])
    assert first.stages["failed"] == again.stages["failed"] == 2
    assert first.cells.equals(again.cells)


def test_what_failed_in_another_process_of_the_run_is_not_tried_again(bench):
    plan = make_plan(bench.preset(protections=["shift"], subjects=1), Registry())
    stage = next(stage for stage in plan.stages.values() if stage.kind == "protect")
    noted = {"state": "timeout", "reason": "ran too long", "traceback": "Traceback"}
    Store(bench.store, run="one").fail(stage.key, stage.document, noted)
    for name, verb in (("one", "failed"), ("two", "executed")):
        log: list[str] = []
        executor = LocalExecutor(Store(bench.store, run=name), Reporter(), log.append)
        executor.run(plan)
        assert executor.outcomes[stage.key].verb == verb
        assert any("ran too long" in line for line in log) == (verb == "failed")


def test_failed_protection_is_in_the_tables_without_numbers(bench):
    protections = bench.run(protections=["raising", "crash"]).protections
    assert set(protections["state"]) == {"failed"}
    assert protections[["linf", "l2", "lpips"]].isna().all().all()
    assert set(protections["protection"]) == {"raising", "crash"}


def test_slow_plugin_times_out(bench):
    result = bench.run(protections=["endless", "shift"], subjects=1, time_limit_s=0.3)
    assert states(result)["endless", "keep"] == "timeout"
    assert states(result)["shift", "keep"] == "done"
    assert reasons(result, "endless") == {"protection endless: ran past its time limit of 0.3 s"}


def test_score_that_is_no_number_fails_and_no_other(bench):
    result = bench.run(tasks=["copying[broken_score=true]"])
    states = result.cells.groupby("metric")["state"].unique()
    assert states["nearness"].tolist() == ["failed"]
    assert states["spread"].tolist() == ["done"]
    assert result.cells.loc[result.cells["metric"] == "spread", "value"].notna().all()
    assert "scored nearness as nan" in result.failures[0]["reason"]
    assert set(result.states) == {"failed"}
    assert result.exit_code == 1


def test_edits_that_differ_at_the_head_alone_have_no_psnr_of_the_background(tmp_path, monkeypatch):
    """That figure would be infinite. It has no value and says so, in the tables and in the store;
    what says how alike the whole is, and the background by bounded measures, stays."""
    monkeypatch.setattr(LatentDiffusion, "edit", lambda model, images, *given, **more: images)
    preset = load_preset("quick").override(
        {}, tasks=["malicious-editing"], protections=["identity", "random-noise[within=mask]"],
        purifiers=["none"], subjects=1, matrix=[],
    )  # fmt: skip
    for verb in ("executed", "reused"):
        result = run(preset, tmp_path / "run", tmp_path / "store", workers=1)
        cells = result.cells[result.cells["protection"] == "random-noise[within=mask]"]
        ends = cells.set_index("metric")
        infinite, finite = ends.loc["psnr-background"], ends.drop(index="psnr-background")
        assert set(finite["state"]) == {"done"}
        assert np.isfinite(finite["value"]).all()
        assert finite.loc["psnr", "value"] > 20
        assert finite.loc["ssim", "value"] < 1
        alike = finite.loc[["ssim-background", "vif-p-background"], "value"]
        assert alike.to_list() == pytest.approx([1, 1], abs=1e-6)
        assert infinite["state"] == "failed"
        assert np.isnan(infinite["value"])
        assert infinite["reason"] == "task malicious-editing: scored psnr-background as inf"
        assert result.exit_code == 1
        assert verb in result.stages
        assert result.stages.keys() <= {verb, "skipped"}


@pytest.mark.parametrize(
    ("spec", "settings"),
    [("matched[match=shft]", {}), ("matched", {"protections": {"matched": {"match": "shft"}}})],
)
def test_requirement_of_the_users_that_does_not_exist_is_refused(bench, spec, settings):
    with pytest.raises(ConfigError, match=r"matched.*: Unknown .* 'shft'\. Did you mean: shift"):
        bench.run(protections=[spec, "clean"], settings=settings)


def test_requirement_of_a_plugins_that_does_not_exist_costs_its_own_cells(bench, monkeypatch):
    """Nobody who runs it can mend it, and a run may hold everything that is installed."""
    plugin = importlib.import_module("fake_plugins").Matched
    monkeypatch.setattr(plugin, "requires", lambda self: ("shft",))
    result = bench.run(protections=["matched", "clean"])
    assert states(result)["clean", "keep"] == "done"
    (reason,) = reasons(result, "matched")
    assert "Did you mean: shift" in reason


def test_requirement_of_itself_is_told(bench):
    result = bench.run(protections=["matched[match=matched]", "clean"], settings={
        "protections": {"matched": {"match": "matched"}}
    })  # fmt: skip
    assert states(result)["clean", "keep"] == "done"
    (reason,) = reasons(result, "matched[match=matched]")
    assert "requires itself" in reason


def test_required_result_is_shared_and_delivered(bench):
    result = bench.run(protections=["shift", "matched"])
    protections = result.protections.set_index(["subject", "protection", "image"])["linf"]
    assert protections["ada", "matched", "one"] == pytest.approx(4 / 255)
    assert result.stages["executed"] == bench.run(protections=["matched", "shift"]).stages["reused"]


def test_adaptation_gets_its_base_and_what_it_names(bench):
    """Half the way of `shift`, through the purifier that a parameter stands for."""
    adapted = "shift+halved[through=smooth[radius=2]]"
    result = bench.run(protections=["shift", "shift+halved", adapted])
    moved = result.protections.set_index(["subject", "protection", "image"])["linf"]
    assert moved["ada", "shift", "one"] == pytest.approx(8 / 255)
    assert moved["ada", "shift+halved", "one"] == pytest.approx(4 / 255)
    assert moved["ada", adapted, "one"] > 16 / 255
    settings = {"adaptations": {"halved": {"share": 0.25}}}
    result = bench.run(protections=["shift+halved"], settings=settings)
    moved = result.protections.set_index(["subject", "protection", "image"])["linf"]
    assert moved["ada", "shift+halved", "one"] == pytest.approx(2 / 255)


def test_settings_of_what_is_injected_count(bench):
    adapted = ["shift+halved[through=smooth]"]
    before = bench.run(protections=adapted)
    settings = {"purifiers": {"smooth": {"radius": 3}}}
    after = bench.run(protections=adapted, settings=settings)
    assert not before.protections["l2"].equals(after.protections["l2"])


def test_what_is_in_a_named_file_counts(bench, tmp_path):
    """A result belongs to its content and not to its name."""
    path = tmp_path / "ada's levels.txt"
    moved = []
    for levels in (1, 2):
        path.write_text(str(levels))
        moved.append(bench.run(protections=[f'filed[path="{path}"]']).protections["linf"].max())
    assert moved == pytest.approx([1 / 255, 2 / 255])


def test_notes_reach_the_tables_and_a_board(bench):
    result = bench.run(protections=["shift", "clean"])
    notes = pd.read_parquet(result.out / "notes.parquet")
    assert set(notes["protection"]) == {"shift"}
    assert set(notes["image"]) == {"one", "two"}
    assert notes["value"].between(0.3, 0.7).all()
    assert set(notes["purifier"]) == {""}
    assert "| Shift" in (result.out / "boards" / "diagnostics.md").read_text()


def test_notes_of_purifiers_are_one_per_image_and_reach_the_board(bench):
    few = "noting[per_image=false]"
    purifiers = ["keep", "noting", few]
    result = bench.run(protections=["clean", "shift"], purifiers=purifiers, seeds=[0, 1])
    notes = pd.read_parquet(result.out / "notes.parquet")
    found = notes[notes["purifier"] == "noting"]
    assert not found.duplicated(list(NOTES.place)).any()
    assert set(zip(found["protection"], found["image"], strict=True)) == {
        (protection, image) for protection in ("clean", "shift") for image in ("one", "two")
    }
    assert set(notes["purifier"]) == {"", "noting"}
    assert set(result.cells.set_index("purifier").loc[few, "state"]) == {"failed"}
    assert "note mean is not one finite value per image" in result.cells["reason"].str.cat()
    board = (result.out / "boards" / "diagnostics.md").read_text()
    assert "what protections and purifiers noted" in board
    assert "| Shift, Noting" in board
    old = load_frames(result.out).notes.drop(columns="purifier")
    old.to_parquet(result.out / "notes.parquet", index=False)
    assert list(load_frames(result.out).notes) == NOTES.columns


def test_matrix_block_runs_nothing_else(bench):
    block = {"protections": ["shift"], "purifiers": ["smooth"]}
    result = bench.run(matrix=[block])
    assert set(zip(result.cells["protection"], result.cells["purifier"], strict=True)) == {
        ("shift", "smooth"),
        ("control:blank", ""),
    }


def test_damaged_object_is_made_again(bench):
    before = bench.run()
    protect = next(
        key for verb, key in bench.log() if "images/one.png" in manifest_files(bench, key)
    )
    path = bench.store / "objects" / protect[:2] / protect / "images" / "one.png"
    path.write_bytes(path.read_bytes()[:-20])
    after = bench.run("after")
    log = bench.log("after")
    assert ("damaged", protect) in log
    assert [key for verb, key in log if verb == "executed"] == [protect]
    assert before.cells.equals(after.cells)
    assert set(bench.run("last").stages) == {"reused"}


def manifest_files(bench, key):
    path = bench.store / "objects" / key[:2] / key / "manifest.json"
    return json.loads(path.read_text())["files"]


def test_other_names_same_numbers(bench, site, distribution):
    """The core names no plugin."""
    before = bench.run()
    renamed = """
[impress_bench.models]
petit = fake_world:load_tiny
[impress_bench.tasks]
kopieren = fake_world:Copying
[impress_bench.protections]
rein = fake_plugins:Clean
schieben = fake_plugins:Shift
[impress_bench.purifiers]
halten = fake_plugins:Keep
weich = fake_plugins:Smooth
"""
    info = site / "fake_plugins-1.0.dist-info"
    (info / "entry_points.txt").write_text(renamed)
    after = bench.run(
        "after",
        store=bench.tmp_path / "other",
        models=dict.fromkeys(("protection", "purifier", "target"), "petit"),
        tasks=["kopieren"],
        protections=["rein", "schieben"],
        purifiers=["halten", "weich"],
    )
    assert after.exit_code == 0
    assert list(after.cells["value"]) == list(before.cells["value"])


def test_report_writes_the_same_boards(bench):
    result = bench.run()
    before = board_bytes(result)
    for path in (result.out / "boards").iterdir():
        path.unlink()
    assert report(result.out)
    assert board_bytes(result) == before


def test_report_of_nothing_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no results of a run"):
        report(tmp_path)


def test_tables_read_back(bench):
    result = bench.run()
    read = pd.read_parquet(result.out / "cells.parquet")
    assert read["value"].tolist() == result.cells["value"].tolist()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"protections": ["shft"]}, "protections: Unknown protection 'shft'. Did you mean: shift"),
        ({"protections": ["shift+halvd"]}, "Unknown adaptation 'halvd'. Did you mean: halved"),
        ({"purifiers": ["smooth+halved"]}, "only a protection can be adapted"),
        ({"protections": ["shift+halved[through=smoth]"]}, "Unknown purifier 'smoth'"),
        ({"purifiers": ["smooth[r=1]"]}, "purifiers: .*'smooth': 'r'.* Available: radius"),
        ({"subjects": ["ad"]}, "subjects: Unknown subject 'ad'. Did you mean: ada"),
        ({"models": {"target": "tny"}}, "models"),
        ({"settings": {"purifiers": {"smoth": {}}}}, "settings.purifiers: 'smoth'. Did you mean"),
    ],
)
def test_configuration_errors_come_before_any_work(bench, values, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        bench.run(**values)
    # A list given as an argument is named by it, all else by the file.
    (named,) = values
    blamed = named if named in ("protections", "purifiers") else str(bench.preset_file)
    assert str(caught.value).startswith(blamed)
    assert not bench.log()
