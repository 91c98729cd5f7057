"""Disks that are full or cannot be written, and clocks that jump: nothing computed is lost."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import time

import pandas as pd
import pytest

from impress_bench.benchmark.cli import main
from impress_bench.benchmark.harness.storage import store as store_module


@pytest.fixture
def call(bench, monkeypatch, capsys):
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
        monkeypatch.setattr(sys, "argv", ["impress-bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

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
