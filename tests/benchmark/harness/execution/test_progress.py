import io

import pytest
from rich.console import Console

from impress_bench.benchmark.harness.execution.progress import (
    BarReporter,
    Estimate,
    LineReporter,
    duration,
    reporter_for,
)
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry


def test_remaining_time_from_the_mean_of_each_kind():
    estimate = Estimate(["protect", "protect", "protect", "score", "score"])
    assert estimate.remaining() == "time left unknown"
    estimate.finished("protect", 10)
    assert estimate.remaining() == "at least 20 s left"
    estimate.finished("protect", 20)
    estimate.finished("score", 1)
    assert estimate.remaining() == "16 s left"
    estimate.finished("score", None)
    estimate.finished("protect", None)
    assert estimate.remaining() == "done"


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.2, "3 s"), (600, "10 min"), (3600 * 3 + 60, "3 h 01 min")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def test_bars_show_stages_and_steps(bench):
    plan = make_plan(bench.preset(), Registry())
    stage = next(iter(plan.stages.values()))
    stream = io.StringIO()
    reporter = BarReporter(Console(file=stream, force_terminal=True, width=120))
    reporter.start(4)
    reporter.begin(stage)
    reporter.step(3, 7)
    reporter.message("a [bracketed] message")
    reporter.end(stage, "executed", 1.0, "9 s left")
    reporter.close()
    shown = stream.getvalue()
    assert "a [bracketed] message" in shown
    assert "1/4" in shown
    assert "9 s left" in shown


def test_pipes_get_lines():
    assert isinstance(reporter_for(io.StringIO()), LineReporter)
