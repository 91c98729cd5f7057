"""The Ray executor against the local one: on a cluster of this machine's own, and on one of two
nodes, which here are processes of one machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("ray")
RAY = ("--executor", "ray")


@pytest.fixture(autouse=True)
def ray_folder(monkeypatch):
    """Where Ray keeps its sockets, whose paths may have a hundred characters: no `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield folder / "ray"
    shutil.rmtree(folder, ignore_errors=True)


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


def boards(out):
    return {path.name: path.read_bytes() for path in sorted((out / "boards").iterdir())}


def has_peaks(out):
    """Which kinds of stages have their peak memory in the costs of a run."""
    kinds = json.loads((out / "costs.json").read_text())["kinds"]
    return {kind: row["peak_bytes"] is not None for kind, row in kinds.items()}


def test_results_are_those_of_the_local_executor(run, tmp_path, ray_folder):
    ray_folder.mkdir()
    (ray_folder / "ray_current_cluster").write_text("127.0.0.1:1")  # nobody asked for that one
    local, _, plain, _ = run("local", "--workers", "1")
    cells, _, lines, errors = run("ray", *RAY)
    assert cells.equals(local)
    assert set(lines) == set(plain)
    assert {verb for verb, _ in lines} == {"executed"}
    assert "left" in errors  # progress
    assert boards(tmp_path / "ray") == boards(tmp_path / "local")
    assert has_peaks(tmp_path / "ray") == has_peaks(tmp_path / "local")
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


def test_a_signal_writes_boards_ends_the_cluster_and_fails_no_stage(
    command, preset_file, tmp_path, logged, ray_folder
):
    out, journal = tmp_path / "out", tmp_path / "journal"
    words = ("run", "--preset", preset_file, "--out", out, "--store", tmp_path / "store", *RAY)
    names = ("--protections", "clean,slow")
    process = command(*words, *names, FAKE_JOURNAL=str(journal))
    deadline = time.monotonic() + 90
    while not (logged(out) and journal.exists() and journal.read_text()):  # in a plugin's midst
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "Ended by SIGTERM" in errors
    assert set(pd.read_parquet(out / "cells.parquet")["state"]) <= {"done", "missing"}
    assert not list((tmp_path / "store" / "failures").iterdir())
    assert (out / "boards" / "LEADERBOARD.md").is_file()
    keys = {path.parent.name for path in (tmp_path / "store").glob("objects/*/*/manifest.json")}
    assert {key for _, key in logged(out)} <= keys
    while subprocess.run(["pgrep", "-f", str(ray_folder.parent)], capture_output=True).stdout:
        assert time.monotonic() < deadline + 60
        time.sleep(0.1)


def test_a_cluster_that_is_not_there_is_a_clear_error(command, preset_file, tmp_path):
    process = command(
        "run", "--preset", preset_file, "--out", tmp_path / "out", "--store", tmp_path / "store",
        *RAY, "--address", "auto",
    )  # fmt: skip
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors.startswith("Error: --address: no Ray cluster at auto")


@pytest.fixture
def cluster(site, ray_folder, monkeypatch, tmp_path):
    """Two nodes of one CPU each. Their workers see the pretended plugins and write the journal."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("FAKE_JOURNAL", str(tmp_path / "journal"))
    nodes = Cluster()
    try:
        nodes.add_node(num_cpus=1)
        nodes.add_node(num_cpus=1)
        yield nodes
    finally:
        nodes.shutdown()


@pytest.fixture
def start(command, preset_file, tmp_path):
    """A run in a process of its own, with a store of its own."""

    def begin(name, *options, **environment):
        place = ("--out", tmp_path / name, "--store", tmp_path / f"store-{name}")
        words = ("--preset", preset_file, "--protections", "clean,slow", *place, *options)
        return command("run", *words, **environment)

    return begin


def finish(process):
    _, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors


def nodes_of(out):
    """By key, as the log has it: the node that performed a stage, and what the stage is."""
    lines = (out / "log.txt").read_text().splitlines()
    found = [re.fullmatch(r"node (\w+) at \S+: (\w+) (.*)", line) for line in lines]
    return {match[2]: (match[1], match[3]) for match in found if match}


def test_nodes_share_a_run_and_one_that_dies_costs_time_alone(cluster, start, logged, tmp_path):
    local, whole, torn = (tmp_path / name for name in ("local", "whole", "torn"))
    remote, journal = (*RAY, "--address", cluster.address), tmp_path / "journal"
    processes = start("local", "--workers", "1", FAKE_JOURNAL=""), start("whole", *remote)
    for process in processes:
        finish(process)
    assert boards(whole) == boards(local)
    ran = nodes_of(whole)
    assert {node for node, _ in ran.values()} == {node.node_id for node in cluster.list_all_nodes()}
    assert list(ran) == [key for verb, key in logged(whole) if verb == "executed"]

    journal.unlink()
    (doomed,) = cluster.worker_nodes
    raylet = str(doomed.all_processes["raylet"][0].process.pid)
    process, deadline = start("torn", *remote), time.monotonic() + 60
    while not (journal.exists() and raylet in journal.read_text().split()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cluster.remove_node(doomed, allow_graceful=False)
    finish(process)
    assert boards(torn) == boards(local)
    assert {verb for verb, _ in logged(torn)} == {"executed"}
    begun = journal.read_text().split()
    assert len(begun) == 3  # for two subjects
    assert begun.count(raylet) == 1
    slow = {node for node, what in nodes_of(torn).values() if what.endswith("slow")}
    assert slow == {cluster.head_node.node_id}


def test_a_lost_cluster_ends_the_run_and_fails_no_stage(
    command, preset_file, tmp_path, logged, ray_folder
):
    """What it was at was not tried: no plugin's fault."""
    out = tmp_path / "out"
    words = ("run", "--preset", preset_file, "--out", out, "--store", tmp_path / "store", *RAY)
    process = command(*words, FAKE_DELAY="0.5")
    deadline = time.monotonic() + 90
    while not logged(out):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pattern = f"raylet/raylet .*{ray_folder.parent}"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout
    for raylet in map(int, found.split()):
        os.kill(raylet, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    (said,) = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert said.startswith("Error: Ray cluster at local: ")
    assert "run the same command again" in said
    assert "Traceback" not in errors.replace("(raylet)", "")
    assert set(pd.read_parquet(out / "cells.parquet")["state"]) <= {"done", "missing"}
    assert (out / "boards" / "LEADERBOARD.md").is_file()
    assert {verb for verb, _ in logged(out)} == {"executed"}
