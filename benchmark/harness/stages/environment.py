"""What a running stage has besides its inputs: models, random state, threads, a time limit."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.models import load_model
from impress_bench.benchmark.harness.stages.memory import PeakMemory
from impress_bench.benchmark.harness.stages.passes import Passes
from impress_bench.benchmark.harness.storage.keys import canonical_json, derive_seed
from impress_bench.benchmark.models.numerics import PLAIN, Numerics
from impress_bench.benchmark.unfinished import Unfinished

if TYPE_CHECKING:
    import torch

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
    from impress_bench.benchmark.tasks.base import Task


#: Deterministic algorithms where torch has them, and a warning where it has none.
WARN = 1
#: Read by torch's compiler when it is imported: whether its choices must not depend on timings.
COMPILER = "TORCHINDUCTOR_DETERMINISTIC"


class TimeLimitExceeded(Exception):
    """A stage ran longer than the preset allows."""


class Environment:
    """Models and tasks of the stages that one process runs, each loaded once.

    models: names by role. report: called with the progress of a stage. images_at_once: how many
    images a plugin gets together at most. `unfinished` keeps the state of the stage that runs.
    """

    def __init__(
        self,
        models: Mapping[str, str],
        time_limit_s: float | None = None,
        report: Callable[[int, int], None] = lambda done, total: None,
        device: str = "cpu",
        numerics: Numerics = PLAIN,
        images_at_once: int | None = None,
    ) -> None:
        self.device = device
        self.images_at_once = images_at_once
        self.unfinished = Unfinished()
        self._numerics = numerics
        self._names = dict(models)
        self._loaded: dict[str, LatentDiffusion] = {}
        self._tasks: dict[str, Task] = {}
        self._time_limit_s = time_limit_s
        self._report = report
        self._deadline = float("inf")
        self._passes = Passes()
        self._memory = PeakMemory(device)

    @property
    def passes(self) -> dict[str, int]:
        """Images that passed through the models' networks since the latest stage began."""
        return dict(self._passes.counts)

    @property
    def peak_bytes(self) -> int | None:
        """Peak memory since the latest stage began; None if it is not measured."""
        return self._memory.bytes

    def model(self, role: str, surrogate: str = "") -> LatentDiffusion:
        """The model of a role, or a component's own `surrogate`, loaded on first use."""
        name = surrogate or self._names[role]
        if name not in self._loaded:
            self._loaded[name] = load_model(name, self.device, self._numerics)
            self._passes.watch_model(self._loaded[name])
        return self._loaded[name]

    def task(self, component: Component) -> Task:
        """A task, created on first use and kept, with whatever it has loaded."""
        name = canonical_json(component.identity())
        if name not in self._tasks:
            self._tasks[name] = component.create()
        return self._tasks[name]

    def progress(self, done: int, total: int) -> None:
        """Reports progress; handed to plugins and tasks. Raises TimeLimitExceeded, and Stopped if
        the process is to end."""
        signals.check()
        self._report(done, total)
        self._check_time()

    @contextmanager
    def stage(self, threads: int, *coordinates: str | int, limited: bool = True) -> Iterator[None]:
        """Run a stage with its time limit, if it is `limited`, its threads and random state.

        Plugins draw from the generator they are given. Libraries that they call may draw from the
        global ones, which are seeded by the stage's coordinates and restored afterwards.
        """
        import numpy as np
        import torch

        self._passes.counts.clear()
        self._memory.begin()
        limit = self._time_limit_s if limited else None
        self._deadline = time.monotonic() + limit if limit else float("inf")
        seed = derive_seed("global", *coordinates)
        saved = (torch.get_num_threads(), random.getstate(), np.random.get_state())
        deterministic = torch.get_deterministic_debug_mode()
        with torch.random.fork_rng():
            try:
                torch.set_num_threads(threads)
                set_deterministic(WARN)
                torch.manual_seed(seed)
                np.random.seed(seed)
                random.seed(seed)
                yield
                self._check_time()
            finally:
                torch.set_num_threads(saved[0])
                set_deterministic(deterministic)
                random.setstate(saved[1])
                np.random.set_state(saved[2])

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise TimeLimitExceeded(f"ran past its time limit of {self._time_limit_s:g} s")


def set_deterministic(mode: int) -> None:
    """What `torch.use_deterministic_algorithms` does, by torch's number of the mode.

    That function imports torch's compiler, which takes a process about as long as torch does. Here
    the compiler is told where it is imported already, and reads a variable where it is later on.
    """
    import torch

    torch.set_deterministic_debug_mode(mode)
    os.environ[COMPILER] = str(int(mode != 0))
    compiler: Any = sys.modules.get("torch._inductor.config")
    if hasattr(compiler, "deterministic"):  # torch 2.4 has no such setting
        compiler.deterministic = mode != 0


def generator(role: str, task: str, subject: str, seed: int = 0) -> torch.Generator:
    """The generator of one stage, seeded by its coordinates alone; on the CPU, so that its draws
    are the same for every device."""
    import torch

    return torch.Generator().manual_seed(derive_seed(role, task, subject, seed))
