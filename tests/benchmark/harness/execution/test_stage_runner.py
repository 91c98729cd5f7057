"""What ends a run in the midst of a stage and is no plugin's fault: nothing wrong is stored, and no
stage fails."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.execution import serve_plugin
from impress_bench.benchmark.harness.execution.isolation import Isolation
from impress_bench.benchmark.harness.execution.stage_runner import StageRunner
from impress_bench.benchmark.harness.plugins import plugin_process
from impress_bench.benchmark.harness.stages import environment, protect
from impress_bench.benchmark.harness.storage.store import StoreError
from impress_bench.benchmark.machine import MachineError
from impress_bench.benchmark.sandbox import confine

pytestmark = pytest.mark.usefixtures("as_started")


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


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.ENFILE])
def test_what_the_machine_is_short_of_is_no_failure_of_the_plugin(bench, whims, number, wrapped):
    def fall_short():
        try:
            raise OSError(number, os.strerror(number), "/tmp/scratch")
        except OSError as error:
            if wrapped:
                raise RuntimeError("no sketch") from error
            raise

    whims(fall_short)
    with pytest.raises(MachineError, match=f"^/tmp/scratch: {os.strerror(number)}"):
        bench.run(protections=["shift", "clean"], subjects=1)
    check_nothing_failed(bench)
    assert stored(bench, "protect") == 1


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_another_error_of_the_system_is_the_plugin_s(bench, whims, number):
    """It may have leaked its open files, or asked for more memory than anybody has."""

    def fail():
        raise OSError(number, os.strerror(number), "/etc/shadow")

    whims(fail)
    assert bench.run(protections=["clean"], subjects=1).states["failed"]


def test_what_cannot_be_handed_to_a_plugin_s_own_process_is_not_its_failure(bench, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/000.png")

    monkeypatch.setattr(Isolation, "covers", lambda self, stage: stage.kind == "protect")
    monkeypatch.setattr(Isolation, "perform", fail)
    with pytest.raises(MachineError, match=r"^/tmp/000\.png: "):
        bench.run(protections=["clean"], subjects=1)
    check_nothing_failed(bench)


def test_what_the_benchmark_measures_is_not_the_plugin_s_time(bench, monkeypatch):
    """A plugin in a process of its own, which here is this one, has its limit there."""
    late, clock, measure = [], time.monotonic, protect._lpips

    def tarry(clean, images):
        late.append(1000.0)
        return measure(clean, images)

    def serve(plugin, words, scratch, *bounds):
        serve_plugin.main(words[-1])
        return confine.Ending(0, 0)

    ahead = SimpleNamespace(monotonic=lambda: clock() + sum(late))
    monkeypatch.setattr(environment, "time", ahead)
    monkeypatch.setattr(protect, "_lpips", tarry)
    monkeypatch.setattr(plugin_process, "run_confined", serve)
    try:
        result = bench.run(protections=["clean"], subjects=1, isolate=True, time_limit_s=300.0)
    finally:
        environment.set_deterministic(0)
    assert late
    assert set(result.states) == {"done"}


def test_whatever_ends_a_run_there_are_boards(bench, monkeypatch):
    perform = StageRunner._perform

    def fail(self, stage):
        if stage.kind == "purify":
            raise ArithmeticError("a fault of ours")
        return perform(self, stage)

    monkeypatch.setattr(StageRunner, "_perform", fail)
    with pytest.raises(ArithmeticError, match="a fault of ours"):
        bench.run(subjects=1)
    check_nothing_failed(bench)
    assert "stopped: ArithmeticError: a fault" in (bench.tmp_path / "run/log.txt").read_text()
