"""What a plugin hands back is judged on this side, whatever it is.

The plugin's part is played in this process, by the same code: the starts of real ones would take
minutes. test_isolation.py has those, with what plugins do to them.
"""

from __future__ import annotations

import contextlib
import os
import sys

import pytest
import torch

from impress_bench.benchmark.harness.execution import serve_plugin
from impress_bench.benchmark.harness.plugins import plugin_process
from impress_bench.benchmark.harness.stages.environment import set_deterministic
from impress_bench.benchmark.sandbox.confine import Ending

PLACE = ["task", "subject", "protection", "purifier", "seed", "metric"]

#: What an answer comes to, and a word of the reason that a board gives.
ANSWERS = {
    "hostile[how=poison]": ("failed", "finite"),
    "hostile[how=shrink]": ("failed", "shape"),
    "hostile[how=forget]": ("failed", "shape"),
    "hostile[how=overshoot]": ("over-budget", "linf"),
    "hostile[how=answer-nothing]": ("failed", "returned no valid result: out/000.png"),
    "hostile[how=answer-infinity]": ("failed", "left no result (answer.json: notes.a.0"),
    "hostile[how=answer-nesting]": ("failed", "left no result (answer.json"),
    "hostile[how=answer-levels]": ("failed", "left no result (answer.json: budget.linf"),
    "hostile[how=answer-usage]": ("failed", "all is lost"),
    "hostile[how=answer-pipe]": ("failed", "out/answer.json is no ordinary file"),
    "hostile[how=answer-large]": ("failed", "out/000.png is larger than"),
    "hostile[early=true,how=fail]": ("failed", "could not be created"),
}


class Ended(BaseException):
    """Where a process would have ended."""


@pytest.fixture
def played(monkeypatch, third_parties):
    """The processes of plugins are this one; counts them."""
    started, deterministic, threads = [], *_torch()

    def end(code):
        raise Ended

    def serve(plugin, words, scratch, *bounds):
        started.append(plugin)
        monkeypatch.setattr(sys, "argv", words[-2:])
        with contextlib.suppress(Ended):
            serve_plugin.main(words[-1])
        return Ending(0, 0)

    monkeypatch.syspath_prepend(str(third_parties))
    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(plugin_process, "run_confined", serve)
    yield started
    set_deterministic(deterministic)
    torch.set_num_threads(threads)


def _torch():
    return torch.get_deterministic_debug_mode(), torch.get_num_threads()


def test_an_answer_costs_its_own_cells_and_says_why(bench, played):
    shared = {"purifiers": ["keep"], "subjects": 1}
    alone = bench.run("alone", bench.tmp_path / "other", protections=["clean", "shift"], **shared)
    assert not played
    names = ["clean", "shift", *ANSWERS]
    beside = bench.run("beside", protections=names, isolate=True, **shared)
    assert len(played) > 2 * len(ANSWERS) - 2  # each described, and all but one applied
    kept, cells = (run.cells.set_index(PLACE).sort_index() for run in (alone, beside))
    assert cells.loc[kept.index].equals(kept)
    for name, (state, reason) in ANSWERS.items():
        found = cells.loc[cells.index.get_level_values("protection") == name]
        told = found["reason"].iloc[0]
        assert set(found["state"]) == {state}, (name, told)
        assert reason in told, (name, told)
