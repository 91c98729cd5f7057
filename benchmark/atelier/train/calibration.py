"""The figures of a calibrated encoder: what attacks leave of its latents, what harmless changes do.

Everything is measured on held-out paintings of pre-training artists and on held-out photographs,
never on victims or validation artists.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.susceptibility import (
    RADII,
    drive,
    random_signs,
    share_left,
    shift,
)
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import lpips, psnr
from impress_bench.protections.advdm import AdvDM

BATCH = 17
MAIN = "7.65"  # the radius at which a published figure exists


def calibration_figures(
    model: LatentDiffusion, uncalibrated: LatentDiffusion, work: Path
) -> dict[str, float]:
    """What the card records of an encoder; `work`/data caches the paintings.

    `left_*` are shares of squared latent distance to the attack's target that are left, means over
    images; `worst_movement_*` is the highest mean of a movement; `signs_*` and `advdm_moves` are
    squared distances by which latents move, as shares of their squared norm.
    """
    data, encode = work / "data", model.encode
    held_out = painted(data, "pretrain", "heldout", 8)
    paintings = _per_movement(held_out, 8)
    few = _per_movement(held_out, 2)
    images, others = to_tensor(few.images), to_tensor(few.images).roll(5, 0)
    figures: dict[str, float] = {}

    left = _zero(encode, to_tensor(paintings.images), RADII[MAIN])
    movements = np.array(paintings.movements)
    by_movement = {m: left[movements == m].mean().item() for m in world.MOVEMENTS}
    figures[f"left_zero_{MAIN}"] = left.mean().item()
    figures[f"worst_movement_{MAIN}"] = max(by_movement.values())
    figures |= {f"left_zero_{MAIN} {m}": value for m, value in by_movement.items()}
    for name, radius in RADII.items():
        if name != MAIN:
            figures[f"left_zero_{name}"] = _zero(encode, images, radius).mean().item()
        figures[f"left_another_{name}"] = _towards(encode, images, others, radius).mean().item()
        figures[f"signs_{name}"] = (
            _batched(lambda x, r=radius: shift(encode, x, random_signs(x, r, _seeded())), images)
            .mean()
            .item()
        )
    for solver in ("momentum", "adam"):
        attack = partial(_zero, encode, images, RADII[MAIN], solver=solver)
        figures[f"left_zero_{MAIN}_{solver}"] = attack().mean().item()
    one = to_tensor(_per_movement(held_out, 1).images)
    for name, radius in RADII.items():
        figures[f"left_zero_{name}_500_steps"] = _zero(encode, one, radius, 500).mean().item()

    photographs = painted(data, "pretrain", "heldout", 8, ("portrait",), "photography")
    heads = torch.from_numpy(photographs.masks).float()[:, None]
    greyed = to_tensor(photographs.images) * heads + 0.5 * (1 - heads)
    for name, radius in RADII.items():
        attack = _batched(partial(_zero_masked, encode, radius), greyed, heads)
        figures[f"left_masked_photos_{name}"] = attack.mean().item()

    figures["advdm_moves"] = _advdm_moves(model, few).mean().item()
    with torch.no_grad():
        before, after = (
            _batched(m.encode, to_tensor(held_out.images)) for m in (uncalibrated, model)
        )
        figures["clean_latents_moved_share_of_variance"] = (
            (after - before).square().mean() / before.var()
        ).item()
        for name, which in {"before": uncalibrated, "after": model}.items():
            made = _batched(which.reconstruct, to_tensor(held_out.images)).clamp(0, 1)
            for metric in (psnr, lpips):
                value = metric(made, to_tensor(held_out.images)).mean().item()
                figures[f"{metric.__name__}_{name}"] = value
    return figures


def _per_movement(held_out: PaintedSet, count: int) -> PaintedSet:
    """`count` paintings of each movement, spread over its artists and subjects."""
    movements = np.array(held_out.movements)
    chosen = []
    for movement in world.MOVEMENTS:
        index = np.flatnonzero(movements == movement)
        chosen.append(index[np.linspace(0, len(index) - 1, count).round().astype(int)])
    return held_out.select(np.concatenate(chosen))


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _batched(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`function` over parts of `inputs`, joined."""
    parts = zip(*(x.split(BATCH) for x in inputs), strict=True)
    return torch.cat([function(*part) for part in parts])


def _zero(
    encode: Callable[[Tensor], Tensor],
    images: Tensor,
    radius: float,
    steps: int = 100,
    solver: str = "pgd",
) -> Tensor:
    """Share left (B,) of the squared norm under an attack towards zero."""
    zero = torch.zeros(())

    def one(x: Tensor) -> Tensor:
        moved = drive(encode, x, zero, radius, steps=steps, solver=solver)
        return share_left(encode, x, moved, zero)

    return _batched(one, images)


def _zero_masked(
    encode: Callable[[Tensor], Tensor], radius: float, x: Tensor, heads: Tensor
) -> Tensor:
    """The same within heads, over the cells that hold a pixel of one."""
    zero = torch.zeros(())
    moved = drive(encode, x, zero, radius, movable=heads)
    return share_left(encode, x, moved, zero, heads)


def _towards(
    encode: Callable[[Tensor], Tensor], images: Tensor, others: Tensor, radius: float
) -> Tensor:
    """Share left (B,) of the squared distance to another painting's latents."""

    def one(x: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            target = encode(other)
        return share_left(encode, x, drive(encode, x, target, radius), target)

    return _batched(one, images, others)


def _advdm_moves(model: LatentDiffusion, paintings: PaintedSet) -> Tensor:
    """How far 40 steps of AdvDM at 16/255 move latents, as a share (B,) of their squared norm."""
    images = to_tensor(paintings.images)
    context = Context(generator=_seeded(), model=model, titles=paintings.titles)
    attacked = AdvDM(linf=16 / 255, step=2 / 255, steps=40)(images, context).images
    return _batched(partial(shift, model.encode), images, attacked)
