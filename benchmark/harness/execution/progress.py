"""Progress of a run: bars on a terminal, one line per stage elsewhere, or nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.texts import one_line


class Estimate:
    """Time left, from the mean duration of each kind of work finished so far."""

    def __init__(self, pending: Iterable[str], workers: int = 1) -> None:
        self._workers = workers
        self._pending = Counter(pending)
        self._seen: dict[str, list[float]] = defaultdict(list)

    def finished(self, kind: str, seconds: float | None) -> None:
        """One piece of work has ended; `seconds` is what it took, None if it was not executed."""
        self._pending[kind] -= 1
        if seconds is not None:
            self._seen[kind].append(seconds)

    def remaining(self) -> str:
        """Such as "3 min left"; "at least …" while no work of a pending kind has finished."""
        pending = {kind: count for kind, count in self._pending.items() if count > 0}
        if not pending:
            return "done"
        known = {kind for kind in pending if self._seen[kind]}
        if not known:
            return "time left unknown"
        total = sum(pending[kind] * sum(v := self._seen[kind]) / len(v) for kind in known)
        return (
            f"{'' if known == set(pending) else 'at least '}{duration(total / self._workers)} left"
        )


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class Reporter:
    """Receives the progress of a run. This base class shows nothing."""

    def start(self, stages: int) -> None:
        """A run begins; it has this many stages. One reporter may see several, one by one."""

    def begin(self, stage: Stage) -> None:
        """A stage is about to be executed."""

    def step(self, done: int, total: int) -> None:
        """The current stage reports its own progress."""

    def end(self, stage: Stage, verb: str, seconds: float, remaining: str) -> None:
        """A stage was executed, reused, skipped, failed or blocked."""

    def message(self, message: str) -> None:
        """A message on a line of its own."""

    def close(self) -> None:
        """The run is over, however it ended."""


class LineReporter(Reporter):
    """One line per stage, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stages = self._ended = 0

    def start(self, stages: int) -> None:
        self._stages, self._ended = stages, 0

    def end(self, stage: Stage, verb: str, seconds: float, remaining: str) -> None:
        self._ended += 1
        took = f" {seconds:.1f} s" if verb == "executed" else ""
        place = f"[{self._ended}/{self._stages}] {verb} {stage.kind} {stage.place}"
        self.message(f"{place}{took}, {remaining}")

    def message(self, message: str) -> None:
        with suppress(OSError):  # a terminal that is gone costs no run
            print(one_line(message), file=self._stream, flush=True)


class BarReporter(Reporter):
    """Two bars: stages of the run, steps of the current stage. A terminal that is gone costs no
    run, whether its signal comes before or after something was to be drawn."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[remaining]}", markup=False),
            console=console,
        )
        self._all = self._progress.add_task("stages", total=None, remaining="")
        self._one = self._progress.add_task("", total=None, remaining="", visible=False)

    def start(self, stages: int) -> None:
        with suppress(OSError):
            self._progress.reset(self._all, total=stages, remaining="")
            self._progress.start()

    def begin(self, stage: Stage) -> None:
        description = one_line(f"{stage.kind} {stage.place}")
        with suppress(OSError):  # draws at once
            self._progress.reset(self._one, description=description, total=None, visible=True)

    def step(self, done: int, total: int) -> None:
        with suppress(OSError):
            self._progress.update(self._one, completed=done, total=total)

    def end(self, stage: Stage, verb: str, seconds: float, remaining: str) -> None:
        with suppress(OSError):
            self._progress.update(self._all, advance=1, remaining=remaining)

    def message(self, message: str) -> None:
        with suppress(OSError):
            self._progress.console.print(one_line(message), markup=False, highlight=False)

    def close(self) -> None:
        with suppress(OSError):
            self._progress.update(self._one, visible=False)
            self._progress.stop()


def reporter_for(stream: TextIO) -> Reporter:
    """Bars on a terminal, lines elsewhere."""
    if stream.isatty():
        return BarReporter(Console(file=stream))
    return LineReporter(stream)
