"""How much of what the machine can multiply the loops make use of.

Operations are counted by torch on one call; the rate they are held against is that of a product of
two square matrices, measured beside it on the same number of threads. Noted, never asserted.
"""

from __future__ import annotations

import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from impress_bench import attacks, protections
from impress_bench.benchmark import Context

pytestmark = pytest.mark.speed

SIDE = 1024

LOOPS = {
    "impress": attacks.Impress(steps=3),
    "photoguard-encoder": protections.PhotoGuardEncoder(steps=3),
    "advdm": protections.AdvDM(steps=3),
}


def matmul_rate(seconds=0.3):
    """Floating-point operations a second, the best of some."""
    a, b = torch.randn(2, SIDE, SIDE)
    best, ends = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        a @ b
        best = max(best, 2 * SIDE**3 / (time.perf_counter() - began))
    return best


@pytest.mark.parametrize("name", LOOPS)
def test_utilisation(benchmark, model, images, name):
    def loop():
        LOOPS[name](images, Context(torch.Generator().manual_seed(0), model))

    rates = []
    loop()
    with FlopCounterMode(display=False) as counter:
        loop()
    benchmark.pedantic(loop, setup=lambda: rates.append(matmul_rate()), rounds=3)
    achieved = counter.get_total_flops() / benchmark.stats.stats.median
    rate = sorted(rates)[len(rates) // 2]
    benchmark.extra_info.update(
        gflop=round(counter.get_total_flops() / 1e9, 1),
        gflops_of_matmul=round(rate / 1e9, 1),
        utilisation=round(achieved / rate, 3),
        threads=torch.get_num_threads(),
    )
