"""The Ray executor, on a cluster of this machine alone, against the local one."""

import json

import pandas as pd
import pytest

pytest.importorskip("ray")
RAY = ("--executor", "ray")


@pytest.fixture
def run(command, preset_file, tmp_path, logged):
    def start(name, *options, expected=0, store=None):
        out, place = tmp_path / name, store or tmp_path / f"store-{name}"
        process = command(
            "run", "--preset", preset_file, "--out", out, "--store", place, "--json", *options
        )
        output, errors = process.communicate(timeout=300)
        assert process.returncode == expected, errors
        cells = pd.read_parquet(out / "cells.parquet")
        return cells, json.loads(output), logged(out), errors

    return start


def test_results_are_those_of_the_local_executor(run, tmp_path):
    local, _, plain, _ = run("local", "--workers", "1")
    cells, _, lines, errors = run("ray", *RAY)
    assert cells.equals(local)
    assert set(lines) == set(plain)
    assert {verb for verb, _ in lines} == {"executed"}
    assert "left" in errors  # progress
    boards = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "boards").iterdir()}
        for name in ("local", "ray")
    ]
    assert boards[0] == boards[1]
    again, _, lines, _ = run("again", *RAY, store=tmp_path / "store-local")
    assert again.equals(local)
    assert {verb for verb, _ in lines} == {"reused"}


def test_a_lost_worker_is_replaced_and_a_failure_costs_its_own_cells(run, tmp_path):
    counters = tmp_path / "once", tmp_path / "ever"
    names = (
        "clean", f"mortal[counter={counters[0]},deaths=1]",
        f"mortal[counter={counters[1]},deaths=99]", "raising",
    )  # fmt: skip
    cells, _, _, errors = run(
        "ray", *RAY, "--protections", ",".join(names), "--purifiers", "keep", "--subjects", "ada",
        expected=1,
    )  # fmt: skip
    state = cells.groupby("protection")[["state", "reason"]].first()
    assert state.loc["clean", "state"] == state.loc[names[1], "state"] == "done"
    assert counters[0].read_text() == "x"
    assert state.loc[names[2], "state"] == "failed"
    assert "lost with its worker 4 times" in state.loc[names[2], "reason"]
    assert counters[1].read_text() == "xxxx"
    assert "the paint ran out" in state.loc["raising", "reason"]
    assert "Traceback" not in errors.replace("(raylet)", "")


def test_a_cluster_that_is_not_there_is_a_clear_error(command, preset_file, tmp_path):
    process = command(
        "run", "--preset", preset_file, "--out", tmp_path / "out", "--store", tmp_path / "store",
        *RAY, "--address", "auto",
    )  # fmt: skip
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors.startswith("Error: --address: no Ray cluster at auto")
