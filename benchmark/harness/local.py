"""The executor that runs a plan in this process, stage by stage, beside others that do the same.

A stage that fails costs what depends on it and nothing else. `log.txt` gets one line a stage,
written when its outcome is safe in the store: `executed KEY …`, `reused KEY …`, `failed KEY …` or,
for what a failure takes along, `blocked KEY …`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.environment import Environment
from impress_bench.benchmark.harness.isolation import Isolation
from impress_bench.benchmark.harness.plan import Plan
from impress_bench.benchmark.harness.progress import Estimate, Reporter
from impress_bench.benchmark.harness.stage import Stage, perform
from impress_bench.benchmark.harness.store import Result, Store, Stored
from impress_bench.benchmark.harness.timings import Timings

#: How long to wait where all that is left is being worked on by others.
PATIENCE_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """How a stage ended. `seconds` and `passes` are what executing it took, now or when it was
    stored; `images` how many its result holds."""

    verb: str
    state: State
    reason: str = ""
    seconds: float | None = None
    record: Mapping[str, Any] | None = None
    passes: Mapping[str, int] = field(default_factory=dict)
    images: int = 0


class LocalExecutor:
    """Runs plans against a store; `outcomes` fills up by key while it does."""

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        log: Callable[[str], None],
        settled: Callable[[Stage], None] = lambda stage: None,
        workers: int = 1,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._store = store
        self._reporter = reporter
        self._log = log
        self._settled = settled
        self._workers = workers
        self._isolation: Isolation | None = None

    def run(self, plan: Plan) -> None:
        """Settle every stage of the plan; an interrupt leaves the outcomes so far.

        A stage that another process works on is left to it, and looked for again later.
        """
        preset = plan.preset
        env = Environment(preset.models.roles(), preset.time_limit_s, self._reporter.step)
        self._isolation = Isolation(preset)
        estimate = Estimate(map(_work, plan.stages.values()), self._workers)
        self._reporter.start(len(plan.stages))
        pending = dict(plan.stages)
        try:
            while pending:
                settled = [
                    key for key, stage in pending.items() if self._pass(stage, env, estimate)
                ]
                for key in settled:
                    del pending[key]
                if pending and not settled:
                    time.sleep(PATIENCE_S)
        finally:
            self._reporter.close()

    def _pass(self, stage: Stage, env: Environment, estimate: Estimate) -> bool:
        """Settle a stage if that is possible now, and tell."""
        outcome = self._settle(stage, env)
        if outcome is None:
            return False
        self.outcomes[stage.key] = outcome
        estimate.finished(_work(stage), outcome.seconds)
        line = f"{outcome.verb} {stage.key} {stage.kind} {stage.place}"
        self._log(f"{line}: {outcome.reason}" if outcome.reason else line)
        if outcome.verb == "failed":
            self._reporter.tell(f"failed {stage.kind} {stage.place}: {outcome.reason}")
        self._reporter.settle(stage, outcome.verb, outcome.seconds or 0.0, estimate.remaining())
        self._settled(stage)
        return True

    def _settle(self, stage: Stage, env: Environment) -> Outcome | None:
        for needed in stage.inputs.values():
            if needed.key not in self.outcomes:
                return None
            blocking = self.outcomes[needed.key]
            if blocking.state is not State.DONE:
                return Outcome("blocked", blocking.state, blocking.reason)
        if stored := self._store.find(stage.key):
            return self._found(stored)
        with self._store.lock(stage.key) as mine:
            if not mine:
                return None
            if stored := self._store.find(stage.key):
                return self._found(stored)
            if failure := self._store.failure(stage.key):
                self._log(_indented(failure["traceback"]))
                return Outcome("failed", State(failure["state"]), failure["reason"])
            self._store.discard(stage.key)
            return self._execute(stage, env)

    def _found(self, stored: Stored) -> Outcome:
        """What a worker of this run has made was executed, what was there before is reused."""
        ours = self._store.run is not None and stored.run == self._store.run
        return _outcome("executed" if ours else "reused", stored)

    def _execute(self, stage: Stage, env: Environment) -> Outcome:
        self._reporter.begin(stage)
        started = time.monotonic()
        try:
            inputs = {name: self._input(stage, needed) for name, needed in stage.inputs.items()}
            if self._isolation is not None and self._isolation.covers(stage):
                result, passes = self._isolation.perform(stage, inputs)
            else:
                result = perform(stage, inputs, env)
                passes = env.passes
        except PluginError as error:
            trace = traceback.format_exc()
            self._log(_indented(trace))
            failure = {"state": error.state, "reason": str(error), "traceback": trace}
            self._store.fail(stage.key, stage.document, failure)
            return Outcome("failed", error.state, str(error))
        seconds = time.monotonic() - started
        self._store.put(stage.key, stage.document, result, seconds, passes)
        Timings(self._store.root).note(stage, seconds)
        stored = self._store.find(stage.key)
        if stored is None:
            raise OSError(f"{self._store.path(stage.key)} cannot be read back; is the disk full?")
        return _outcome("executed", stored)

    def _input(self, stage: Stage, needed: Stage) -> Result:
        result = self._store.get(needed.key)
        if result is None:
            raise PluginError(stage.component, f"input {needed.key} vanished from the store")
        return result


def _indented(trace: str) -> str:
    """A traceback as the log shows it, apart from the lines of stages."""
    return "\n".join(f"    {line}" for line in trace.splitlines())


def _work(stage: Stage) -> str:
    """Stages that take about as long as each other: an edit is no fine-tuning."""
    return f"{stage.kind} {stage.component} {stage.task_name}"


def _outcome(verb: str, stored: Stored) -> Outcome:
    """A stored outcome; that of a protection may be over its budget."""
    record = stored.record()
    state = State((record or {}).get("state", State.DONE))
    reason = (record or {}).get("reason", "")
    return Outcome(verb, state, reason, stored.seconds, record, stored.passes, stored.images)
