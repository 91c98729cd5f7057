import io
import re

import pytest
from rich.console import Console

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.execution.progress import (
    BarReporter,
    Estimate,
    LineReporter,
    duration,
    reporter_for,
)
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.run import run


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


def test_what_does_not_apply_has_not_failed(bench):
    """A run that ends with exit code 0 names no failure on the way."""
    stream, out = io.StringIO(), bench.tmp_path / "run"
    preset = bench.preset(protections=["shift", "choosy"])
    result = run(preset, out, bench.store, LineReporter(stream), workers=1)
    assert result.exit_code == 0
    for told in (stream.getvalue(), (out / "log.txt").read_text()):
        assert "skipped protect" in re.sub(r"skipped [0-9a-f]{64} ", "skipped ", told)
        assert "failed" not in told


@pytest.mark.parametrize("bars", [False, True])
def test_every_run_is_counted_from_its_start(bench, bars):
    """Whoever shows two runs one after the other: [1/2], [2/2], and not [3/2]."""
    stage = next(iter(make_plan(bench.preset(), Registry()).stages.values()))
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    reporter = BarReporter(console) if bars else LineReporter(stream)
    for _ in range(2):
        reporter.start(2)
        reporter.end(stage, "executed", 1.0, "9 s left")
        reporter.end(stage, "executed", 1.0, "done")
        reporter.close()
    shown = set(re.findall(r"\d/\d", stream.getvalue()))
    assert shown - {"0/2", "1/2"} == {"2/2"}


def test_pipes_get_lines():
    assert isinstance(reporter_for(io.StringIO()), LineReporter)


def test_no_line_of_others_reaches_a_log(bench, monkeypatch, capsys):
    """CI systems take a line that begins with `::`, or contains `##[`, for a command."""
    import fake_plugins

    evil = "spilt\n::set-output name=a::b\r::error::c\x85::d\u2028::e ##[error]f \x1b[2J"

    def spill(self, images, context):
        raise PluginError("protection raising", evil) from ValueError(evil)

    monkeypatch.setattr(fake_plugins.Raising, "__call__", spill)
    stream = io.StringIO()
    out = bench.tmp_path / "run"
    run(bench.preset(protections=["raising"]), out, bench.store, LineReporter(stream), workers=1)
    bars = io.StringIO()
    BarReporter(Console(file=bars, width=400)).message(evil)
    logs = [stream.getvalue(), (out / "log.txt").read_text(), bars.getvalue()]
    assert all("spilt\\n::set-output" in log for log in logs)
    for log in logs:
        assert not [line for line in log.splitlines() if line.strip().startswith("::")]
        assert "##[" not in log
        assert "\x1b[2J" not in log


def test_a_terminal_that_is_gone_ends_nothing(bench):
    """Its signal may come after something was drawn in vain."""
    stage = next(iter(make_plan(bench.preset(), Registry()).stages.values()))

    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    LineReporter(Gone()).message("hello")
    reporter = BarReporter(Console(file=Gone(), force_terminal=True))
    reporter.start(4)
    reporter.begin(stage)
    reporter.step(1, 2)
    reporter.message("hello")
    reporter.end(stage, "executed", 1.0, "9 s left")
    reporter.close()
