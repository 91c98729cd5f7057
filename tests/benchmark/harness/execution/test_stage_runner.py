"""What ends a run in the midst of a stage and is no plugin's fault: nothing wrong is stored, and no
stage fails."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress

import pandas as pd
import pytest

from impress_bench.benchmark import signals


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
