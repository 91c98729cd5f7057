"""The executor that hands stages to a Ray cluster, whose machines share the store's folder.

A stage is one task with as many CPUs as it has threads, and the share of a GPU and the memory that
the preset's `resources` ask for. A task whose worker or machine is lost is tried again. Results go
through the store and not through Ray, so that a run of either executor resumes the other's. A stage
that was performed has a line `node ID at HOST: KEY …` in the log before that of its outcome.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.config.tables import Resources
from impress_bench.benchmark.harness.execution.base import Executor
from impress_bench.benchmark.harness.execution.stage_runner import Outcome, Settler
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store

#: How often a stage is tried again whose worker died, and how long a lock is waited for.
RETRIES, PATIENCE_S = 3, 1.0
#: Tasks in flight for each that can run: enough to keep a cluster busy, few enough to steer.
AHEAD = 2

_settlers: dict[tuple[str, str, str], Settler] = {}
#: Keys of the stages that this process, a worker, has performed and not only found.
_performed: set[str] = set()


class RayExecutor(Executor):
    """Drives the cluster at `address`, or one of this machine's own for as long as it runs."""

    _ray: Any = None

    def connect(self, address: str | None, threads: int) -> None:
        """Before `run`, to a cluster on which stages take so many threads. Raises ConfigError."""
        self._ray = _connected(address)
        self.workers = max(1, int(self._ray.cluster_resources().get("CPU", 1)) // threads)

    def settle_all(self, plan: Plan) -> None:
        # Ray prints what it notices, until it is shut down, to the standard output, which is for
        # results.
        with redirect_stdout(sys.stderr):
            try:
                self._settle_all(plan)
            finally:
                self._ray.shutdown()

    def _settle_all(self, plan: Plan) -> None:
        preset = plan.preset
        pending = dict(plan.stages)
        running: dict[Any, Stage] = {}
        settler = Settler(self.store, preset)
        remote = self._ray.remote(_settle)
        most = AHEAD * self.workers
        while pending or running:
            for stage in self._ready(pending, most - len(running), settler):
                needs = preset.resources.get(stage.kind, Resources())
                task = remote.options(
                    num_cpus=stage.threads,
                    num_gpus=preset.gpus(stage.kind),
                    memory=int(needs.memory_gb * 2**30),
                    max_retries=RETRIES,
                    name=f"{stage.kind} {stage.place}",
                )
                root = str(self.store.root.absolute())
                running[task.remote(stage, preset, root, self.store.run)] = stage
                self.reporter.begin(stage)
            done, _ = self._ray.wait(list(running), timeout=PATIENCE_S) if running else ([], [])
            for task in done:
                self.conclude(stage := running.pop(task), self._outcome(task, stage))

    def _ready(self, pending: dict[str, Stage], room: int, settler: Settler) -> Iterator[Stage]:
        """Stages to hand over now; those that need no work are concluded on the way."""
        for key, stage in list(pending.items()):
            if room <= 0:
                return
            if self.waits(stage):
                continue
            del pending[key]
            if outcome := self.blocked(stage) or settler.find(stage):
                self.conclude(stage, outcome)
                continue
            room -= 1
            yield stage

    def _outcome(self, task: Any, stage: Stage) -> Outcome:
        try:
            outcome: Outcome
            outcome, node = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None  # a full disk, say: no stage's failure
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            reason = f"{stage.component}: lost with its worker {RETRIES + 1} times ({first})"
            return Outcome("failed", State.FAILED, reason)
        if node:
            self._log(f"node {node}: {stage.key} {stage.kind} {stage.place}")
        return outcome


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--executor ray: Ray is not installed; pip install 'impress-bench[ray]'"
        ) from None
    # Left to itself, Ray would also join whatever cluster `ray start` has made here last.
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        dashboard = False if address == "local" else None
        ray.init(
            address,
            include_dashboard=dashboard,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(f"--address: no Ray cluster at {address}: {error}") from None
    return ray


def _settle(stage: Stage, preset: Preset, root: str, run: str) -> tuple[Outcome, str]:
    """On a worker, which keeps the models it has loaded for the next stage. Beside the outcome, the
    node if it was here: one that died after it had stored a result leaves it to be found."""
    name = (preset.model_dump_json(), root, run)
    if name not in _settlers:
        _settlers.clear()
        store = Store(Path(root), run=run)
        _settlers[name] = Settler(store, preset, lambda stage: _performed.add(stage.key))
    while (outcome := _settlers[name].settle(stage)) is None:
        time.sleep(PATIENCE_S)
    return outcome, _node() if stage.key in _performed else ""


def _node() -> str:
    import ray

    return f"{ray.get_runtime_context().get_node_id()} at {platform.node()}"
