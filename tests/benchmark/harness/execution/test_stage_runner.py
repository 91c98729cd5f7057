"""What ends a run in the midst of a stage and is no plugin's fault: nothing wrong is stored, and no
stage fails."""

from __future__ import annotations

import errno
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.execution.stage_runner import StageRunner
from impress_bench.benchmark.harness.storage.store import StoreError


@pytest.fixture(autouse=True)
def forgotten():
    """What signal came, for the tests that follow."""
    yield
    with signals.stopping():
        pass


@pytest.fixture
def whims(site, monkeypatch):
    """Lets the protection `clean` do something before it works."""

    def given(whim):
        import fake_plugins

        work = fake_plugins.Clean.__call__

        def call(self, images, context):
            whim()
            return work(self, images, context)

        monkeypatch.setattr(fake_plugins.Clean, "__call__", call)

    return given


def stored(bench, kind):
    """How many results of a kind of stage the store holds."""
    manifests = bench.store.glob("objects/*/*/manifest.json")
    return sum(json.loads(one.read_text())["inputs"]["stage"] == kind for one in manifests)


def check_nothing_failed(bench):
    """And there are boards of what is done."""
    assert not list((bench.store / "failures").iterdir())
    cells = pd.read_parquet(bench.tmp_path / "run/cells.parquet")
    assert set(cells["state"]) <= {"done", "missing"}
    assert (bench.tmp_path / "run/boards/LEADERBOARD.md").is_file()


def test_what_a_plugin_returns_that_swallows_a_signal_is_not_stored(bench, whims):
    """It catches everything, and hands back what it has so far."""

    def swallow():
        with suppress(BaseException):  # as a bare except does
            os.kill(os.getpid(), signal.SIGTERM)

    whims(swallow)
    with signals.stopping(), pytest.raises(signals.Stopped):
        bench.run(protections=["clean"])
    assert stored(bench, "original")
    assert not stored(bench, "protect")
    check_nothing_failed(bench)


def test_a_result_that_cannot_be_read_for_a_moment_is_kept(bench, monkeypatch):
    """As on a network's disk: neither removed nor made again, and the next run reads it."""
    bench.run(subjects=1)
    before = {path: path.stat().st_mtime_ns for path in bench.store.glob("objects/*/*")}
    read = Path.read_bytes

    def fail(path):
        if path.name == "record.json":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(StoreError, match="is not made again while it may be sound"):
            bench.run(subjects=1)
    check_nothing_failed(bench)
    assert set(bench.run(subjects=1).stages) == {"reused"}
    assert before == {path: path.stat().st_mtime_ns for path in bench.store.glob("objects/*/*")}


def test_an_input_that_vanished_is_no_failure_of_what_needs_it(bench, monkeypatch):
    """The next run makes it again."""
    perform = StageRunner._perform

    def vanish(self, stage):
        for needed in stage.inputs.values():
            if stage.kind == "purify":
                self._store.discard(needed.key)
        return perform(self, stage)

    with monkeypatch.context() as patch:
        patch.setattr(StageRunner, "_perform", vanish)
        with pytest.raises(StoreError, match=r"protect copying/ada clean .* has vanished"):
            bench.run(protections=["clean"], purifiers=["keep"], subjects=1)
    check_nothing_failed(bench)
    assert set(bench.run(protections=["clean"], purifiers=["keep"], subjects=1).states) == {"done"}
