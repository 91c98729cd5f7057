"""The executor that performs stages in this process, beside others that do the same."""

from __future__ import annotations

import time

from impress_bench.benchmark.harness.execution.base import Executor
from impress_bench.benchmark.harness.execution.stage_runner import Settler
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage

#: How long to wait where all that is left is being worked on by others.
PATIENCE_S = 0.2


class LocalExecutor(Executor):
    """One of `workers` processes that share a store."""

    def settle_all(self, plan: Plan) -> None:
        """A stage that another process works on is left to it, and looked for again later."""
        settler = Settler(self.store, plan.preset, self.reporter.begin, self.reporter.step)
        pending = dict(plan.stages)
        while pending:
            settled = [key for key, stage in pending.items() if self._settle(stage, settler)]
            for key in settled:
                del pending[key]
            if pending and not settled:
                time.sleep(PATIENCE_S)

    def _settle(self, stage: Stage, settler: Settler) -> bool:
        """Settle a stage if that is possible now."""
        if self.waits(stage):
            return False
        outcome = self.blocked(stage) or settler.settle(stage)
        if outcome is not None:
            self.conclude(stage, outcome)
        return outcome is not None
