"""A signal that comes while plugins are imported ends the command, and is no error of theirs."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config import loading

pytestmark = pytest.mark.usefixtures("as_started")

#: As modules written in C do with what is raised in a nested import.
RUDE = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGTERM)
except BaseException as error:
    raise ImportError("initialization failed") from error
"""
ENDED = "Ended by SIGTERM. The same command goes on where this one stopped.\n"


@pytest.mark.parametrize("module", ["fake_crash", "fake_world"])
def test_while_a_plugin_or_a_task_is_imported(bench, site, in_process, module):
    (site / f"{module}.py").write_text(RUDE)
    out = bench.tmp_path / "run"
    words = ("--out", out, "--store", bench.store, "--workers", 1, "--protections", "clean,crash")
    code, _, errors = in_process("run", "--preset", bench.preset_file, *words)
    assert (code, errors.lstrip()) == (143, ENDED)
    assert not (out / "cells.parquet").exists()


def test_while_what_the_user_wrote_is_read(bench, in_process, monkeypatch):
    def load(name):
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        raise ConfigError("no such thing")

    monkeypatch.setattr(loading, "load_preset", load)
    code, _, errors = in_process("run", "--preset", bench.preset_file)
    assert (code, errors.lstrip()) == (143, ENDED)
