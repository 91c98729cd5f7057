"""What executors of a plan have in common: outcomes by key, the log, the report to people.

A stage that fails costs what depends on it and nothing else. `log.txt` gets one line a stage,
written when its outcome is safe in the store: `executed KEY …`, `reused KEY …`, `failed KEY …` or,
for what a failure takes along, `blocked KEY …`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.harness.execution.progress import Estimate, Reporter
from impress_bench.benchmark.harness.execution.stage_runner import Outcome
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store


class Executor(ABC):
    """Runs plans against a store, `workers` stages at a time; `outcomes` fills up by key."""

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        log: Callable[[str], None],
        settled: Callable[[Stage], None] = lambda stage: None,
        workers: int = 1,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.store = store
        self.reporter = reporter
        self._log = log
        self._settled = settled
        self.workers = workers
        self._estimate = Estimate([])

    def run(self, plan: Plan) -> None:
        """Settle every stage of the plan; an interrupt leaves the outcomes so far."""
        self._estimate = Estimate(map(_work, plan.stages.values()), self.workers)
        self.reporter.start(len(plan.stages))
        try:
            self.settle_all(plan)
        finally:
            self.reporter.close()

    @abstractmethod
    def settle_all(self, plan: Plan) -> None:
        """Bring every stage to an outcome and `conclude` it."""

    def waits(self, stage: Stage) -> bool:
        """Whether one of the stage's inputs has no outcome yet."""
        return any(needed.key not in self.outcomes for needed in stage.inputs.values())

    def blocked(self, stage: Stage) -> Outcome | None:
        """The outcome of a stage that lacks an input, None where it can be performed."""
        for needed in stage.inputs.values():
            blocking = self.outcomes[needed.key]
            if blocking.state is not State.DONE:
                return Outcome("blocked", blocking.state, blocking.reason)
        return None

    def conclude(self, stage: Stage, outcome: Outcome) -> None:
        """Keep an outcome, and tell."""
        self.outcomes[stage.key] = outcome
        self._estimate.finished(_work(stage), outcome.seconds)
        if outcome.trace:
            self._log("\n".join(f"    {line}" for line in outcome.trace.splitlines()))
        line = f"{outcome.verb} {stage.key} {stage.kind} {stage.place}"
        self._log(f"{line}: {outcome.reason}" if outcome.reason else line)
        if outcome.verb == "failed":
            self.reporter.tell(f"failed {stage.kind} {stage.place}: {outcome.reason}")
        seconds, left = outcome.seconds or 0.0, self._estimate.remaining()
        self.reporter.settle(stage, outcome.verb, seconds, left)
        self._settled(stage)


def _work(stage: Stage) -> str:
    """Stages that take about as long as each other: an edit is no fine-tuning."""
    return f"{stage.kind} {stage.component} {stage.task_name}"
