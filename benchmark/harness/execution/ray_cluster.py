"""The executor that hands stages to a Ray cluster, whose machines share the store's folder.

A stage is one Ray task with one CPU per thread, and the share of a GPU and the memory that the
preset's `resources` ask for. A task whose worker or machine is lost is tried again. Results go
through the store and not through Ray, so that either executor resumes a run of the other. A stage
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

from impress_bench.benchmark import signals
from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.config.tables import Resources
from impress_bench.benchmark.harness.execution.base import Executor
from impress_bench.benchmark.harness.execution.stage_runner import Outcome, StageRunner
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.machine import MachineError

#: How often a stage is tried again whose worker died, and the polling interval in seconds.
RETRIES, POLL_S = 3, 1.0
#: What Ray says of a task whose worker died each time that it was tried; not every version has all.
DIED = ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError")
#: Submitted tasks per task that can run: enough to keep a cluster busy without a long queue.
AHEAD = 2

_runners: dict[tuple[str, str, str], StageRunner] = {}
#: Keys of the stages that this worker process has performed, as against reused.
_performed: set[str] = set()


class ClusterError(MachineError):
    """The cluster is lost, and with it the run, but no stage: what it was at was not tried."""


class RayExecutor(Executor):
    """Runs plans on a Ray cluster: `connect`, then `run`."""

    _ray: Any = None
    _address = ""

    def connect(self, address: str | None, threads: int) -> None:
        """Connect to the cluster at `address`, or start one on this machine that ends with the run.

        `threads` are those of one stage. Raises ConfigError if there is no such cluster.
        """
        # Without an address, Ray would also join the cluster that `ray start` made here last.
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._ray = _connected(self._address)
        self.workers = max(1, int(self._ray.cluster_resources().get("CPU", 1)) // threads)

    def run_stages(self, plan: Plan) -> None:
        """As an executor does. Raises ClusterError if the cluster is lost."""
        # Until it is shut down, Ray prints messages to the standard output, which is for results.
        with redirect_stdout(sys.stderr):
            try:
                self._run_stages(plan)
            except self._ray.exceptions.RayError as error:
                raise self._lost(error) from error
            finally:
                self._ray.shutdown()

    def _run_stages(self, plan: Plan) -> None:
        preset = plan.preset
        pending = dict(plan.stages)
        running: dict[Any, Stage] = {}
        runner = StageRunner(self.store, preset)
        remote = self._ray.remote(_perform)
        most = AHEAD * self.workers
        while pending or running:
            signals.check()
            for stage in self._ready(pending, most - len(running), runner):
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
            done, _ = self._ray.wait(list(running), timeout=POLL_S) if running else ([], [])
            for task in done:
                self.conclude(stage := running.pop(task), self._outcome(task, stage))

    def _ready(self, pending: dict[str, Stage], room: int, runner: StageRunner) -> Iterator[Stage]:
        """Stages to submit now, at most `room`; those that need no work are concluded here."""
        for key, stage in list(pending.items()):
            if room <= 0:
                return
            if self.waits(stage):
                continue
            del pending[key]
            if outcome := self.blocked(stage) or runner.stored(stage):
                self.conclude(stage, outcome)
                continue
            room -= 1
            yield stage

    def _outcome(self, task: Any, stage: Stage) -> Outcome:
        try:
            outcome: Outcome
            outcome, node = self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None  # such as a full disk, which fails the run
        except self._died as error:
            how = f"lost with its worker {RETRIES + 1} times ({_first(error)})"
            return Outcome("failed", State.FAILED, f"{stage.component}: {how}")
        if node:
            self._log(f"node {node}: {stage.key} {stage.kind} {stage.place}")
        return outcome

    @property
    def _died(self) -> tuple[type[Exception], ...]:
        known = self._ray.exceptions
        return tuple(getattr(known, name) for name in DIED if hasattr(known, name))

    def _lost(self, error: Exception) -> ClusterError:
        return ClusterError(
            f"Ray cluster at {self._address}: {type(error).__name__}: {_first(error)}. What is"
            " stored stays; see to the cluster (`ray status`) and run the same command again, which"
            " goes on where this one stopped"
        )


def _first(error: Exception) -> str:
    """The first line of what Ray says at length."""
    return str(error).strip().partition("\n")[0]


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--executor ray: Ray is not installed; pip install 'impress-bench[ray]'"
        ) from None
    try:
        dashboard = False if address == "local" else None
        with signals.kept():  # Ray has a handler of its own for SIGTERM
            ray.init(
                address,
                include_dashboard=dashboard,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(f"--address: no Ray cluster at {address}: {error}") from None
    return ray


def _perform(stage: Stage, preset: Preset, root: str, run: str) -> tuple[Outcome, str]:
    """The outcome of a stage, on a worker, which keeps its loaded models for the next one. Beside
    it, this node if the stage was performed here; empty if a worker that died had stored it."""
    name = (preset.model_dump_json(), root, run)
    if name not in _runners:
        _runners.clear()
        store = Store(Path(root), run=run)
        _runners[name] = StageRunner(store, preset, lambda stage: _performed.add(stage.key))
    try:
        with signals.stopping(replacing=True):
            while (outcome := _runners[name].run(stage)) is None:
                time.sleep(POLL_S)
    except signals.Stopped as stopped:
        sys.exit(stopped.exit_code)
    return outcome, _node() if stage.key in _performed else ""


def _node() -> str:
    import ray

    return f"{ray.get_runtime_context().get_node_id()} at {platform.node()}"
