"""What the benchmarks share: the pretended third party, batches, and timing side by side."""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world

#: Set, the suite takes the sizes that docs/performance.md promises, and minutes more.
FULL = bool(os.environ.get("IMPRESS_BENCH_FULL_SCALE"))
BATCH = 8


def _fixtures_of(path: Path):
    """The fixtures that tests of the harness have."""
    spec = importlib.util.spec_from_file_location("harness_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_harness = _fixtures_of(Path(__file__).parents[1] / "benchmark" / "harness" / "conftest.py")
site, preset_file, command, distances, bench = (
    _harness.site, _harness.preset_file, _harness.command, _harness.distances, _harness.bench
)  # fmt: skip


@pytest.fixture(scope="session")
def full_scale() -> bool:
    """Whether the sizes that are promised are asked for."""
    return FULL


@pytest.fixture(scope="session")
def model():
    return load_model("atelier")


@pytest.fixture(scope="session")
def images() -> torch.Tensor:
    """A batch of paintings."""
    works = world.paintings(world.artists("pretrain")[0], "heldout", BATCH)
    return torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255


@pytest.fixture
def beside(benchmark) -> Callable[..., None]:
    """`beside(loop, bare)`, both warm, times them in turn, so that what else the machine does meets
    both, and notes the ratio of their medians: of wall time, and of this process's own."""

    def measure(loop, bare, batch=BATCH):
        sides = {loop: [], bare: []}

        def timed(side):
            began = time.perf_counter(), time.process_time()
            side()
            ended = time.perf_counter(), time.process_time()
            sides[side].append([end - begin for begin, end in zip(began, ended, strict=True)])

        benchmark.pedantic(timed, (loop,), setup=lambda: timed(bare), rounds=5 if FULL else 3)
        medians = [
            [statistics.median(own) for own in zip(*side, strict=True)] for side in sides.values()
        ]
        wall, process = (ours / its for ours, its in zip(*medians, strict=True))
        benchmark.extra_info.update(
            ratio_to_bare=round(wall, 3),
            ratio_of_process_time=round(process, 3),
            threads=torch.get_num_threads(),
            batch=batch,
        )

    return measure
