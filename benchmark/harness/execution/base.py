"""The base class of executors: outcomes by key, the log, and progress reports.

A failed stage blocks the stages that depend on it and no others. `log.txt` gets one line per stage,
written once its outcome is in the store: `executed KEY …`, `reused KEY …`, `failed KEY …`,
`skipped KEY …` where a component does not apply, or `blocked KEY …` for a stage whose input failed
or was skipped.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.harness.execution.progress import Estimate, Reporter
from impress_bench.benchmark.harness.execution.stage_runner import Outcome, StageRunner
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store, StoreError
from impress_bench.benchmark.texts import one_line

#: Seconds for which stored results are gathered once a run is to end.
GATHER_S = 10.0


class Executor(ABC):
    """Runs the stages of plans, `workers` at a time, and collects their outcomes by key.

    `log` gets one line per outcome, and `on_outcome` every stage that has one.
    """

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        log: Callable[[str], None],
        on_outcome: Callable[[Stage], None] = lambda stage: None,
        workers: int = 1,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.store = store
        self.reporter = reporter
        self._log = log
        self._on_outcome = on_outcome
        self.workers = workers
        self._estimate = Estimate([])

    def run(self, plan: Plan) -> None:
        """Bring every stage of the plan to an outcome; an interrupt leaves those so far.

        Raises StoreError if the store cannot be written or read.
        """
        self._estimate = Estimate(map(_work, plan.stages.values()), self.workers)
        self.reporter.start(len(plan.stages))
        try:
            self.run_stages(plan)
        finally:
            self.reporter.close()

    def gather(self, plan: Plan, seconds: float = GATHER_S) -> None:
        """Conclude, after an interrupt, what is stored already: by worker processes, or by an
        earlier run. It ends after so many seconds, since whoever asks a process to end kills it
        soon."""
        self.reporter = Reporter()  # the terminal may be gone
        deadline = time.monotonic() + seconds
        runner = StageRunner(self.store, plan.preset)
        for stage in plan.stages.values():
            if time.monotonic() > deadline:
                return
            if stage.key in self.outcomes or self.waits(stage):
                continue
            with suppress(StoreError):  # nothing ends a run's end
                if outcome := self.blocked(stage) or runner.known(stage):
                    self.conclude(stage, outcome)

    @abstractmethod
    def run_stages(self, plan: Plan) -> None:
        """Bring every stage to an outcome and `conclude` it."""

    def waits(self, stage: Stage) -> bool:
        """Whether one of the stage's inputs has no outcome yet."""
        return any(needed.key not in self.outcomes for needed in stage.inputs.values())

    def blocked(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage whose input failed; None if the stage can be performed."""
        for needed in stage.inputs.values():
            blocking = self.outcomes[needed.key]
            if blocking.state is not State.DONE:
                return Outcome("blocked", blocking.state, blocking.reason)
        return None

    def conclude(self, stage: Stage, outcome: Outcome) -> None:
        """Keep the outcome of a stage, log it and report it."""
        self.outcomes[stage.key] = outcome
        self._estimate.finished(_work(stage), outcome.seconds)
        if outcome.trace:
            self._log("\n".join(f"    | {one_line(line)}" for line in outcome.trace.splitlines()))
        line = f"{outcome.verb} {stage.key} {stage.kind} {stage.place}"
        self._log(one_line(f"{line}: {outcome.reason}" if outcome.reason else line))
        if outcome.verb in ("failed", "skipped"):
            self.reporter.message(f"{outcome.verb} {stage.kind} {stage.place}: {outcome.reason}")
        seconds, left = outcome.seconds or 0.0, self._estimate.remaining()
        self.reporter.end(stage, outcome.verb, seconds, left)
        self._on_outcome(stage)


def _work(stage: Stage) -> str:
    """Equal for stages that take about as long as each other."""
    return f"{stage.kind} {stage.component} {stage.task_name}"
