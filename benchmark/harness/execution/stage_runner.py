"""Brings one stage to its outcome: reused from the store, performed, or failed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from impress_bench.benchmark import signals
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.execution.isolation import Isolation
from impress_bench.benchmark.harness.execution.timings import Timings
from impress_bench.benchmark.harness.stages.base import Stage, perform
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result, Stored
from impress_bench.benchmark.harness.storage.store import Store, StoreError
from impress_bench.benchmark.machine import shortage


@dataclass(frozen=True)
class Outcome:
    """How a stage ended.

    `verb` is "executed", "reused", "skipped", "failed" or "blocked". `seconds`, `passes` and
    `peak_bytes` (None: not measured) are what executing it took, now or when it was stored;
    `images` is the number of images in its result; `trace` the traceback of a failure.
    """

    verb: str
    state: State
    reason: str = ""
    seconds: float | None = None
    record: Mapping[str, Any] | None = None
    passes: Mapping[str, int] = field(default_factory=dict)
    images: int = 0
    trace: str = ""
    peak_bytes: int | None = None


class StageRunner:
    """Brings stages whose inputs are stored to their outcomes, from the store or by running them.

    Calls `begin(stage)` before a stage runs and `step(done, total)` on its progress.
    """

    def __init__(
        self,
        store: Store,
        preset: Preset,
        begin: Callable[[Stage], None] = lambda stage: None,
        step: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._store = store
        self._env = Environment(
            preset.models.roles(),
            preset.time_limit_s,
            step,
            preset.device,
            preset.numerics.chosen(),
            preset.images_at_once,
        )
        self._isolation = Isolation(preset, store.root)
        self._begin = begin

    def stored(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage whose result is stored: "executed" if a process of this run stored
        it, else "reused". None if there is no result."""
        stored = self._store.find(stage.key)
        if stored is None:
            return None
        ours = self._store.run is not None and stored.run == self._store.run
        return _of_stored("executed" if ours else "reused", stored)

    def known(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage whose result is stored, or which failed in this run."""
        if outcome := self.stored(stage):
            return outcome
        if failure := self._store.failure(stage.key):
            return _failed(State(failure["state"]), failure["reason"], failure["traceback"])
        return None

    def run(self, stage: Stage) -> Outcome | None:
        """The outcome, or None while another process works on the stage. Raises MachineError,
        such as StoreError."""
        if outcome := self.stored(stage):
            return outcome
        with self._store.lock(stage.key) as mine:
            if not mine:
                return None
            if outcome := self.known(stage):
                return outcome
            self._store.discard(stage.key)
            return self._perform(stage)

    def _perform(self, stage: Stage) -> Outcome:
        self._begin(stage)
        unfinished = self._store.unfinished(stage.key, lambda: self._env.passes)
        self._env.unfinished = unfinished
        started = time.monotonic()
        try:
            inputs = {name: self._input(stage, needed) for name, needed in stage.inputs.items()}
            if self._isolation.covers(stage):
                result, peak = self._isolation.perform(stage, inputs, self._env)
            else:
                result, peak = perform(stage, inputs, self._env), self._env.peak_bytes
            signals.check()  # a plugin that catches everything returned what it had by then
        except PluginError as error:
            signals.check()  # in a library that is being imported, a signal turns into its error
            trace = traceback.format_exc()
            failure = {"state": error.state, "reason": str(error), "traceback": trace}
            self._store.fail(stage.key, stage.document, failure)
            return _failed(error.state, str(error), trace)
        except OSError as error:  # of what is passed to a plugin's own process, and no plugin's
            if short := shortage(error):
                raise short from error
            raise
        seconds = unfinished.seconds + time.monotonic() - started
        passes = unfinished.all_passes()
        self._store.put(stage.key, stage.document, result, seconds, passes, peak)
        Timings(self._store.root).record(stage, seconds)
        written = self._store.find(stage.key)
        if written is None:
            place = self._store.path(stage.key)
            raise StoreError(f"store {self._store.root}: {place} cannot be read back; is it full?")
        return _of_stored("executed", written)

    def _input(self, stage: Stage, needed: Stage) -> Result:
        """Raises StoreError where it was there and is no more, which no plugin did."""
        result = self._store.get(needed.key)
        if result is None:
            what = f"{needed.kind} {needed.place} ({needed.key})"
            raise StoreError(
                f"store {self._store.root}: {what} has vanished or is damaged, and {stage.kind}"
                f" {stage.place} needs it; run the same command again, which makes it again"
            )
        return result


def _failed(state: State, reason: str, trace: str) -> Outcome:
    verb = "skipped" if state is State.SKIPPED else "failed"
    return Outcome(verb, state, reason, trace=trace)


def _of_stored(verb: str, stored: Stored) -> Outcome:
    """The outcome that a stored result stands for; a protection may be over its budget."""
    record = stored.record()
    state = State((record or {}).get("state", State.DONE))
    reason = (record or {}).get("reason", "")
    return Outcome(
        verb, state, reason, stored.seconds, record, stored.passes, stored.images,
        peak_bytes=stored.peak_bytes,
    )  # fmt: skip
