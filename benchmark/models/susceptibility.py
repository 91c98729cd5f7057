"""How far a bounded perturbation moves a model's latents: the susceptibility of its encoder.

Every protection that works through the autoencoder depends on it. PhotoGuard's notebook (Salman et
al. 2023, encoder attack on Stable Diffusion 1.5, 512 px, L-inf 7.65/255, target zero) prints a
final norm of 169.9 for latents whose norm is about 703, so .06 of the squared norm is left. The
functions here measure the same of any model, at any budget and with several solvers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from impress_bench.benchmark.pixels import round_toward

Encode = Callable[[Tensor], Tensor]
Solver = Literal["pgd", "momentum", "adam"]

#: The L-inf radii at which encoders are compared; 7.65/255 is that of PhotoGuard's notebook.
RADII = {"4": 4 / 255, "7.65": 7.65 / 255, "16": 16 / 255}


def drive(
    encode: Encode,
    images: Tensor,
    target: Tensor,
    radius: float,
    *,
    steps: int = 100,
    solver: Solver = "pgd",
    movable: Tensor | None = None,
) -> Tensor:
    """Images within `radius` of `images` whose latents an attack has driven towards `target`.

    Args:
        encode: Differentiable; images (B, 3, H, W) in [0, 1] to latents (B, C, h, w).
        images: Clean images (B, 3, H, W) in [0, 1].
        target: Latents (B, C, h, w), or what broadcasts to them.
        radius: L-inf bound in [0, 1].
        steps: Steps of a quarter of the radius, falling linearly to 0; at least 1.
        solver: "pgd" takes the gradient's sign (Madry et al. 2018); "momentum" that of gradients
            scaled to unit mean and accumulated with .9 (Dong et al. 2018); "adam" takes Adam's
            direction (Kingma and Ba 2015).
        movable: (B, 1, H, W), true where pixels may move and the latents are to follow; all by
            default.

    Returns:
        Perturbed images (B, 3, H, W), 8-bit values in [0, 1]: rounded towards the clean ones.
    """
    where = torch.ones_like(images[:, :1]) if movable is None else movable.to(images)
    cells = cells_of(where, encode)
    delta = torch.zeros_like(images)
    first, second = torch.zeros_like(images), torch.zeros_like(images)
    for step in range(steps):
        moved = (images + delta).requires_grad_()
        distance = ((encode(moved) - target).square() * cells).sum()
        (gradient,) = torch.autograd.grad(distance, moved)
        if solver == "pgd":
            direction = gradient.sign()
        elif solver == "momentum":
            first = 0.9 * first + gradient / gradient.abs().mean((1, 2, 3), keepdim=True)
            direction = first.sign()
        else:
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient.square()
            unbiased = (second / (1 - 0.999 ** (step + 1))).sqrt().clamp_min(1e-12)
            direction = first / (1 - 0.9 ** (step + 1)) / unbiased
        delta = delta - radius / 4 * (1 - step / steps) * direction * where
        delta = delta.clamp(-radius, radius)
        delta = (images + delta).clamp(0, 1) - images
    return round_toward(images + delta, images)


def share_left(
    encode: Encode,
    images: Tensor,
    moved: Tensor,
    target: Tensor,
    movable: Tensor | None = None,
) -> Tensor:
    """Of each image's squared latent distance to `target`, the share (B,) left in `moved`; with
    `movable` over the latent cells that hold a movable pixel alone."""
    cells = 1.0 if movable is None else cells_of(movable, encode)
    with torch.no_grad():
        before, after = (
            ((encode(x) - target).square() * cells).sum((1, 2, 3)) for x in (images, moved)
        )
    return after / before


def shift(encode: Encode, images: Tensor, moved: Tensor) -> Tensor:
    """How far latents moved, (B,), as a share of the squared norm of the clean ones."""
    with torch.no_grad():
        before, after = encode(images), encode(moved)
    return (after - before).square().sum((1, 2, 3)) / before.square().sum((1, 2, 3))


def random_signs(images: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """`images` plus or minus `radius` at every value, clamped to [0, 1] and rounded to 8 bits
    towards the clean image: a perturbation of the same size without a purpose."""
    signs = torch.randint(0, 2, images.shape, generator=generator).to(images) * 2 - 1
    return round_toward((images + radius * signs).clamp(0, 1), images)


def cells_of(movable: Tensor, encode: Encode) -> Tensor:
    """(B, 1, h, w), 1 where a latent cell holds a pixel of `movable` (B, 1, H, W)."""
    with torch.no_grad():
        latents = encode(movable[:1].float().expand(-1, 3, -1, -1))
    factor = movable.shape[-1] // latents.shape[-1]
    return max_pool2d(movable.float(), factor)
