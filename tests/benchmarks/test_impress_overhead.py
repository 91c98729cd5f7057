"""IMPRESS against a bare loop of what it cannot do without: VAE and LPIPS, forward and backward.

The ratio goes into `extra_info`; nothing is asserted about time.
"""

import time

import numpy as np
import pytest
import torch

from impress_bench.attacks import Impress
from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.atelier import world
from impress_bench.metrics import lpips

STEPS = 5


@pytest.fixture(scope="module")
def images():
    works = world.paintings(world.artists("pretrain")[0], "heldout", 8)
    return torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255


def bare_loop(model, images):
    for _ in range(STEPS):
        x = images.clone().requires_grad_()
        loss = (model.reconstruct(x) - x).square().mean() + lpips(x, images, resize=224).sum()
        loss.backward()


def test_impress_step(benchmark, images):
    model = load_model("atelier")
    purifier = Impress(steps=STEPS)

    def purify():
        purifier(images, Context(model=model, generator=torch.Generator().manual_seed(0)))

    bare_loop(model, images)
    began = time.perf_counter()
    bare_loop(model, images)
    bare = time.perf_counter() - began
    benchmark.pedantic(purify, rounds=3, warmup_rounds=1)
    benchmark.extra_info["ratio_to_bare_loop"] = benchmark.stats.stats.median / bare
