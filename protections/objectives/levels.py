"""Levels of noise at which an image's denoising error responds most to its pixels (SimAC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.protections.objectives.denoising import denoise

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: As released: of a schedule of 1,000 levels, each search draws 5 and drops those from 20 below to
#: 19 above the least responsive one, until at most 100 are left.
COUNT, DRAWS, REACH, ENOUGH = 1000, 5, 20, 100


def responsive_levels(
    model: LatentDiffusion,
    images: Tensor,
    prompts: Conditioning,
    generators: Sequence[torch.Generator],
    *,
    searches: int,
    step: float,
    linf: float,
) -> list[Tensor]:
    """For each of `images` (B, 3, H, W) the levels (n,) that a greedy search leaves.

    A search draws five of an image's levels, and at each the gradient of the denoising error, of
    which it sums the absolute values. Levels around the lowest sum are dropped; then a copy of the
    image ascends by `step` at the level of the highest, within `linf` of the image. There are at
    most `searches`. What is drawn for an image comes from its own generator.
    """
    levels = model.even_levels(COUNT)
    left = torch.ones(len(images), COUNT, dtype=torch.bool)
    x, everything = images.clone(), list(range(len(images)))
    for search in range(searches):
        active = [i for i in everything if int(left[i].sum()) > ENOUGH]
        if not active:
            break
        drawn = torch.stack([_drawn(left[i], generators[i]) for i in active])  # (active, DRAWS)
        scores = torch.stack(
            [
                _slope(model, x, levels[places], prompts, generators, active)
                .abs()
                .flatten(1)
                .sum(1)
                for places in drawn.T
            ],
            dim=1,
        ).cpu()
        rows = torch.arange(len(active))
        dullest, liveliest = drawn[rows, scores.argmin(1)], drawn[rows, scores.argmax(1)]
        for i, place in zip(active, dullest.clamp(REACH, COUNT - REACH).tolist(), strict=True):
            left[i, place - REACH : place + REACH] = False
        going = [row for row, i in enumerate(active) if int(left[i].sum()) > ENOUGH]
        if going and search + 1 < searches:
            active = [active[row] for row in going]
            slope = _slope(model, x, levels[liveliest[going]], prompts, generators, active)
            delta = x[active] + step * slope.sign() - images[active]
            x[active] = (images[active] + delta.clamp(-linf, linf)).clamp(0, 1)
    return [levels[mask.to(levels.device)] for mask in left]


def draw_from(levels: Sequence[Tensor], generators: Sequence[torch.Generator]) -> Tensor:
    """One level (B,) of each image's own, drawn uniformly from its generator."""
    drawn = [
        known[int(torch.randint(len(known), (), generator=generator))]
        for known, generator in zip(levels, generators, strict=True)
    ]
    return torch.stack(drawn)


def _drawn(left: Tensor, generator: torch.Generator) -> Tensor:
    """Places (DRAWS,) among those that are left, with replacement."""
    places = left.nonzero()[:, 0]
    return places[torch.randint(len(places), (DRAWS,), generator=generator)]


def _slope(
    model: LatentDiffusion,
    x: Tensor,
    levels: Tensor,
    prompts: Conditioning,
    generators: Sequence[torch.Generator],
    active: Sequence[int],
) -> Tensor:
    """The gradient of the denoising error at `levels` (active,) in the `active` ones of `x`."""
    point = x[active].requires_grad_(True)
    own = [generators[i] for i in active]
    with torch.enable_grad():
        seen = denoise(model, point, prompts[active], own, levels=levels)
        return torch.autograd.grad(seen.error.sum(), point)[0]
