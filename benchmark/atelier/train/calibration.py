"""The figures of a calibrated encoder: what attacks leave of its latents, what harmless changes do.

Everything is measured on held-out paintings of pre-training artists and on held-out photographs,
never on victims or validation artists.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from impress_bench.benchmark.atelier.train.data import per_movement
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.models.susceptibility import (
    RADII,
    Solver,
    drive,
    random_signs,
    share_left,
    shift,
)
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import lpips, psnr

BATCH = 17
STEPS, MANY_STEPS = 100, 500  # of an attack
SOLVERS: tuple[Solver, ...] = ("momentum", "adam")  # beside the signed steps of the main figures
MAIN = "7.65"  # the radius at which a published figure exists


def calibration_figures(
    vae: AutoencoderKL, uncalibrated: AutoencoderKL, job: Job
) -> dict[str, Any]:
    """What the card records of an encoder, from the frozen autoencoder `vae` and the one before
    its calibration, both on the job's device.

    `left_*` are shares of squared latent distance to the attack's target that are left, means over
    images, by movement where the name says so; `left_*_before` is the uncalibrated encoder's;
    `worst_movement_*` is the highest mean of a movement; `signs_*` are squared distances by which
    random signs move latents, as shares of their squared norm.
    """
    encode, encode_before = partial(_encode, vae), partial(_encode, uncalibrated)
    held_out = job.painted("pretrain", "heldout", 8)
    paintings = per_movement(held_out, 8)
    few = to_tensor(per_movement(held_out, 2).images).to(job.device)
    others = few.roll(5, 0)
    figures: dict[str, Any] = {}

    left = _zero(encode, to_tensor(paintings.images).to(job.device), RADII[MAIN]).cpu()
    by_movement: dict[str, list[float]] = {}
    for movement, value in zip(paintings.movements, left.tolist(), strict=True):
        by_movement.setdefault(movement, []).append(value)
    means = {movement: sum(values) / len(values) for movement, values in by_movement.items()}
    figures[f"left_zero_{MAIN}"] = left.mean().item()
    figures[f"left_zero_{MAIN}_by_movement"] = means
    figures[f"worst_movement_{MAIN}"] = max(means.values())
    figures[f"left_zero_{MAIN}_before"] = _zero(encode_before, few, RADII[MAIN]).mean().item()
    for name, radius in RADII.items():
        if name != MAIN:
            figures[f"left_zero_{name}"] = _zero(encode, few, radius).mean().item()
        figures[f"left_another_{name}"] = _towards(encode, few, others, radius).mean().item()
        figures[f"signs_{name}"] = (
            _batched(lambda x, r=radius: shift(encode, x, random_signs(x, r, _seeded())), few)
            .mean()
            .item()
        )
    for solver in SOLVERS:
        solved = _zero(encode, few, RADII[MAIN], solver=solver)
        figures[f"left_zero_{MAIN}_{solver}"] = solved.mean().item()
    one = to_tensor(per_movement(held_out, 1).images).to(job.device)
    for name, radius in RADII.items():
        many = _zero(encode, one, radius, MANY_STEPS)
        figures[f"left_zero_{name}_{MANY_STEPS}_steps"] = many.mean().item()

    photographs = job.painted("pretrain", "heldout", 8, ("portrait",), "photography")
    heads = torch.from_numpy(photographs.masks).float()[:, None].to(job.device)
    greyed = to_tensor(photographs.images).to(job.device) * heads + 0.5 * (1 - heads)
    for name, radius in RADII.items():
        attack = _batched(partial(_zero_masked, encode, radius), greyed, heads)
        figures[f"left_masked_photos_{name}"] = attack.mean().item()

    every = to_tensor(held_out.images).to(job.device)
    with torch.no_grad():
        before, after = _batched(encode_before, every), _batched(encode, every)
        figures["clean_latents_moved_share_of_variance"] = (
            (after - before).square().mean() / before.var()
        ).item()
        for name, which in {"before": uncalibrated, "after": vae}.items():
            made = _batched(partial(_reconstruct, which), every)
            for metric in (psnr, lpips):
                figures[f"{metric.__name__}_{name}"] = metric(made, every).mean().item()
    return figures


def _encode(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Latents (B, C, h, w), means of the posterior, of images in [0, 1]; `LatentDiffusion` has the
    same, but needs a denoiser, which is trained later."""
    return vae.encode(2 * images - 1).latent_dist.mean


def _reconstruct(vae: AutoencoderKL, images: Tensor) -> Tensor:
    return (vae.decode(_encode(vae, images)).sample / 2 + 0.5).clamp(0, 1)


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
    steps: int | None = None,
    solver: Solver = "pgd",
) -> Tensor:
    """Share left (B,) of the squared norm under an attack towards zero, by default of `STEPS`."""
    zero = torch.zeros((), device=images.device)

    def one(x: Tensor) -> Tensor:
        moved = drive(encode, x, zero, radius, steps=steps or STEPS, solver=solver)
        return share_left(encode, x, moved, zero)

    return _batched(one, images)


def _zero_masked(
    encode: Callable[[Tensor], Tensor], radius: float, x: Tensor, heads: Tensor
) -> Tensor:
    """The same within heads, over the cells that hold a pixel of one."""
    zero = torch.zeros((), device=x.device)
    moved = drive(encode, x, zero, radius, steps=STEPS, movable=heads)
    return share_left(encode, x, moved, zero, heads)


def _towards(
    encode: Callable[[Tensor], Tensor], images: Tensor, others: Tensor, radius: float
) -> Tensor:
    """Share left (B,) of the squared distance to another painting's latents."""

    def one(x: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            target = encode(other)
        return share_left(encode, x, drive(encode, x, target, radius, steps=STEPS), target)

    return _batched(one, images, others)
