"""The executor that performs stages in this process, beside worker processes that do the same."""

from __future__ import annotations

import time

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.execution.base import Executor
from impress_bench.benchmark.harness.execution.stage_runner import StageRunner
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage

#: Polling interval, in seconds, while other workers hold every remaining stage.
POLL_S = 0.2


class LocalExecutor(Executor):
    """One of `workers` processes that share a store."""

    def run_stages(self, plan: Plan) -> None:
        """Run what no other process works on; the results of those stages are picked up later."""
        runner = StageRunner(self.store, plan.preset, self.reporter.begin, self.reporter.step)
        pending = dict(plan.stages)
        while pending:
            signals.check()
            ended = [key for key, stage in pending.items() if self._try(stage, runner)]
            for key in ended:
                del pending[key]
            if pending and not ended:
                time.sleep(POLL_S)

    def _try(self, stage: Stage, runner: StageRunner) -> bool:
        """Bring a stage to its outcome, if that is possible now."""
        signals.check()
        if self.waits(stage):
            return False
        outcome = self.blocked(stage) or runner.run(stage)
        if outcome is not None:
            self.conclude(stage, outcome)
        return outcome is not None
