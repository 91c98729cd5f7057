"""Per-image noise does not depend on batching, dtype or neighbours."""

from __future__ import annotations

import torch

from impress_bench.benchmark.seeds import per_image_generators, rand_per_image, randn_per_image


def noise(sizes: list[int], seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for size in sizes:
        own = per_image_generators(generator, size)
        parts.append(randn_per_image(own, torch.empty(size, 3, 20, 20, dtype=dtype)))
    return torch.cat(parts)


def test_cutting_a_batch_changes_nothing() -> None:
    together = noise([5])
    assert torch.equal(noise([1, 1, 1, 1, 1]), together)
    assert torch.equal(noise([2, 3]), together)
    assert not torch.equal(noise([5], seed=1), together)


def test_images_and_draws_are_independent() -> None:
    assert torch.corrcoef(noise([6]).flatten(1)).fill_diagonal_(0).abs().max() < 0.15
    own = per_image_generators(torch.Generator().manual_seed(0), 1)
    like = torch.empty(1, 3, 20, 20)
    assert not torch.equal(randn_per_image(own, like), randn_per_image(own, like))


def test_dtype_changes_nothing_but_the_dtype() -> None:
    double = noise([2], dtype=torch.float64)
    assert double.dtype == torch.float64
    assert torch.equal(double.float(), noise([2]))


def test_uniform_values_fill_the_unit_interval() -> None:
    own = per_image_generators(torch.Generator().manual_seed(0), 2)
    values = rand_per_image(own, torch.empty(2, 3, 40, 40))
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
