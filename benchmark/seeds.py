"""One generator per image, so that an image's noise does not depend on how a batch was cut.

Diffusers takes a list of generators, one per image, wherever it takes one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: One generator for a batch, from which each image's own is derived, or one per image.
Generators = torch.Generator | Sequence[torch.Generator]


def per_image_generators(generator: torch.Generator, n: int) -> list[torch.Generator]:
    """`n` CPU generators seeded by the next `n` draws of `generator`, which advances.

    Cutting a batch changes nothing as long as its parts get the same generator in turn: the i-th
    image overall gets the i-th draw, and each image then draws from its own generator only.
    """
    seeds = torch.randint(2**63 - 1, (n,), generator=generator, device=generator.device)
    return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]


def as_generators(generator: Generators, count: int) -> list[torch.Generator]:
    """One generator per image: `generator` if it is such a list, else `count` derived from it."""
    if isinstance(generator, torch.Generator):
        return per_image_generators(generator, count)
    return list(generator)


def randn_per_image(generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Standard normal values in the shape (B, ...), dtype and device of `like`.

    Drawn in float32 on the CPU and converted, so that neither dtype nor device changes the noise.
    """
    return torch.stack([torch.randn(like.shape[1:], generator=g) for g in generators]).to(like)


def rand_per_image(generators: Sequence[torch.Generator], like: Tensor) -> Tensor:
    """Values uniform in [0, 1) in the shape (B, ...), dtype and device of `like`; see above."""
    return torch.stack([torch.rand(like.shape[1:], generator=g) for g in generators]).to(like)
