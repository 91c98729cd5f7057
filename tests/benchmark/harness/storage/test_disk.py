"""Disks that are full or cannot be written, and clocks that jump: nothing computed is lost."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import time

import pandas as pd
import pytest

from impress_bench.benchmark.harness.storage import store as store_module
from impress_bench.benchmark.harness.storage.keys import key_of
from impress_bench.benchmark.harness.storage.result import Result


@pytest.fixture
def call(bench, in_process):
    """`impress-bench run` of the fake preset in this process: exit code and complaints."""

    def run():
        out, store = bench.tmp_path / "run", bench.store
        words = [
            "run",
            "--preset",
            bench.preset_file,
            "--out",
            out,
            "--store",
            store,
            "--quiet",
            "--workers",
            1,
        ]
        code, _, complaint = in_process(*words)
        return code, complaint

    return run


def executed(bench):
    return [key for verb, key in bench.log() if verb == "executed"]


def failing(function, number, after):
    """`function` that raises an OSError from its call number `after` on."""
    calls = itertools.count()

    def call(path, *rest):
        if next(calls) >= after:
            raise OSError(number, os.strerror(number), str(path))
        return function(path, *rest)

    return call


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_no_more_stops_the_run(bench, call, monkeypatch, number):
    writes = store_module.write_durably
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_durably", failing(writes, number, after=12))
        code, complaint = call()
    assert code == 1
    assert complaint.startswith(f"Error: store {bench.store}: {os.strerror(number)}")
    assert "--store" in complaint
    before = executed(bench)
    assert before
    states = pd.read_parquet(bench.tmp_path / "run/cells.parquet")["state"]
    assert "missing" in set(states)
    assert (bench.tmp_path / "run/boards/LEADERBOARD.md").is_file()
    assert not list((bench.store / "tmp").iterdir())

    assert call() == (0, "")
    assert not set(before) & set(executed(bench)[len(before) :])
    assert set(pd.read_parquet(bench.tmp_path / "run/cells.parquet")["state"]) == {"done"}


def test_a_store_that_cannot_be_made_is_named(bench, call):
    bench.store.write_text("a file in its place")
    code, complaint = call()
    assert code == 2
    assert str(bench.store) in complaint


def test_a_read_only_store_serves_what_it_holds(bench, call, monkeypatch):
    assert call()[0] == 0
    done = executed(bench)
    for name in ("write_durably", "write_atomically"):
        monkeypatch.setattr(store_module, name, failing(None, errno.EROFS, after=0))
    assert call() == (0, "")
    assert executed(bench) == done


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_named(bench, call, monkeypatch, number):
    def refuse(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    code, complaint = call()
    assert code == 1
    assert complaint.startswith(f"Error: store {bench.store}: its file system does not lock files")
    assert os.strerror(number) in complaint
    assert "--store" in complaint
    assert not executed(bench)


def test_a_new_folder_of_objects_is_on_the_disk_before_what_is_in_it(tmp_path, monkeypatch):
    synced, store = [], store_module.Store(tmp_path)
    monkeypatch.setattr(store_module, "sync_folder", synced.append)
    publish = store._publish
    monkeypatch.setattr(
        store, "_publish", lambda *rest: (synced.append("published"), publish(*rest))
    )
    for inputs in ({"n": 1}, {"n": 1, "more": 1}):
        key = key_of(inputs)
        synced.clear()
        store.put(key, inputs, Result(record={}), 1.0)
        assert synced.index(tmp_path / "objects") < synced.index("published")
        assert synced[-1] == store.path(key).parent
        store.discard(key)
        synced.clear()
        store.put(key, inputs, Result(record={}), 1.0)
        assert tmp_path / "objects" not in synced


def test_a_clock_that_jumps_back_changes_nothing(bench, monkeypatch):
    whole = bench.run()
    again = itertools.count(start=time.time(), step=-3600)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: next(again))
        jumped = bench.run(out="jumped", store=bench.tmp_path / "other")
    boards = [
        {path.name: path.read_bytes() for path in (result.out / "boards").iterdir()}
        for result in (whole, jumped)
    ]
    assert boards[0] == boards[1]
    assert all(seconds >= 0 for seconds in _seconds(jumped.out))


def _seconds(out):
    costs = pd.read_json(out / "costs.json", typ="series")
    return [row["seconds"] for rows in costs for row in rows.values()]
