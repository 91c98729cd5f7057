"""The executor that runs a plan in this process, stage by stage.

A stage that fails costs what depends on it and nothing else. `log.txt` gets one line a stage,
written when its outcome is safe in the store: `executed KEY …`, `reused KEY …`, `failed KEY …` or,
for what a failure takes along, `blocked KEY …`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.environment import Environment
from impress_bench.benchmark.harness.plan import Plan
from impress_bench.benchmark.harness.progress import Estimate, Reporter
from impress_bench.benchmark.harness.stage import Stage, perform
from impress_bench.benchmark.harness.store import Result, Store, Stored


@dataclass(frozen=True)
class Outcome:
    """How a stage ended. `seconds` is what executing it took, now or when it was stored."""

    verb: str
    state: State
    reason: str = ""
    seconds: float | None = None
    record: Mapping[str, Any] | None = None


class LocalExecutor:
    """Runs plans against a store; `outcomes` fills up by key while it does."""

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        log: Callable[[str], None],
        settled: Callable[[Stage], None] = lambda stage: None,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._store = store
        self._reporter = reporter
        self._log = log
        self._settled = settled

    def run(self, plan: Plan) -> None:
        """Settle every stage of the plan; an interrupt leaves the outcomes so far."""
        preset = plan.preset
        env = Environment(preset.models.roles(), preset.time_limit_s, self._reporter.step)
        estimate = Estimate(stage.kind for stage in plan.stages.values())
        self._reporter.start(len(plan.stages))
        try:
            for stage in plan.stages.values():
                outcome = self._settle(stage, env)
                self.outcomes[stage.key] = outcome
                estimate.finished(stage.kind, outcome.seconds)
                line = f"{outcome.verb} {stage.key} {stage.kind} {stage.place}"
                self._log(f"{line}: {outcome.reason}" if outcome.reason else line)
                if outcome.verb == "failed":
                    self._reporter.tell(f"failed {stage.kind} {stage.place}: {outcome.reason}")
                seconds, left = outcome.seconds or 0.0, estimate.remaining()
                self._reporter.settle(stage, outcome.verb, seconds, left)
                self._settled(stage)
        finally:
            self._reporter.close()

    def _settle(self, stage: Stage, env: Environment) -> Outcome:
        for needed in stage.inputs.values():
            blocking = self.outcomes[needed.key]
            if blocking.state is not State.DONE:
                return Outcome("blocked", blocking.state, blocking.reason)
        if stored := self._store.find(stage.key):
            return _outcome("reused", stored)
        with self._store.lock(stage.key):
            if stored := self._store.find(stage.key):
                return _outcome("reused", stored)
            self._store.discard(stage.key)
            return self._execute(stage, env)

    def _execute(self, stage: Stage, env: Environment) -> Outcome:
        self._reporter.begin(stage)
        started = time.monotonic()
        try:
            inputs = {name: self._input(stage, needed) for name, needed in stage.inputs.items()}
            result = perform(stage, inputs, env)
        except PluginError as error:
            trace = traceback.format_exc()
            self._log("".join(f"    {line}\n" for line in trace.splitlines()).rstrip())
            failure = {"state": error.state, "reason": str(error), "traceback": trace}
            self._store.fail(stage.key, stage.document, failure)
            return Outcome("failed", error.state, str(error))
        self._store.put(stage.key, stage.document, result, time.monotonic() - started)
        stored = self._store.find(stage.key)
        if stored is None:
            raise OSError(f"{self._store.path(stage.key)} cannot be read back; is the disk full?")
        return _outcome("executed", stored)

    def _input(self, stage: Stage, needed: Stage) -> Result:
        result = self._store.get(needed.key)
        if result is None:
            raise PluginError(stage.component, f"input {needed.key} vanished from the store")
        return result


def _outcome(verb: str, stored: Stored) -> Outcome:
    """A stored outcome; that of a protection may be over its budget."""
    record = stored.record()
    state = State((record or {}).get("state", State.DONE))
    reason = (record or {}).get("reason", "")
    return Outcome(verb, state, reason, stored.seconds, record)
