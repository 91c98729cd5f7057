"""Recipe of the atelier's AutoencoderKL: f = 4, 4 latent channels, trained on paintings at 64 px.

First on pixels: L1 + L1 of finite differences (sharp edges without an adversary) + AlexNet LPIPS +
a faint KL term, as in Rombach et al. 2022 without the discriminator. Then its latents are aligned
with the movement, so that they say what style they are in: cross-entropy of the movement read off
each latent cell, after the alignment with a recognition network in VA-VAE (Yao et al. 2025). An L2
term holds the latents' scale against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn.functional import cross_entropy

from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    bfloat16_if_fast,
    load_ema,
    train,
)
from impress_bench.metrics import lpips, psnr

CONFIG = {
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "block_out_channels": (16, 32, 64),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 8,
    "mid_block_add_attention": False,
    "sample_size": 64,
}
BATCH, LABEL_SMOOTHING, ALIGNMENT_STEPS = 16, 0.2, 1000
#: Folder, in that of checkpoints, of the VAE as it is before its alignment.
PLAIN_VAE = "vae-plain"


@dataclass(frozen=True)
class Weights:
    """Of the terms of the loss; `pixel` is of L1 and its edges, `mean` of the
    square of the mean of an image's latents."""

    pixel: float
    lpips: float
    kl: float = 1e-6
    style: float = 0.0
    mean: float = 0.0


PIXELS = Weights(pixel=1.0, lpips=0.4)
ALIGNED = Weights(pixel=0.6, lpips=1.5, style=1.0, mean=0.3)


def to_model_range(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1], the range of the models."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_vae(work: Path, pack: Path, steps: int) -> dict[str, Any]:
    """Train for `steps` and align, write `pack`/vae, return the held-out figures for the card."""
    torch.manual_seed(0)
    vae = AutoencoderKL(**CONFIG)
    paintings = painted(work / "data", "pretrain", "pretrain", 400)
    first = train(
        {"vae": vae},
        reconstruction_loss(vae, paintings, PIXELS),
        Schedule(steps=steps, lr=1e-3, ema=0.998),
        work / "vae",
    )
    load_ema({"vae": vae}, first.ema)
    vae.register_to_config(scaling_factor=_scaling_factors(vae, paintings)[0])
    vae.save_pretrained(work / PLAIN_VAE)
    reader = _style_reader(vae.config.latent_channels, len(set(paintings.movements)))
    second = train(
        {"vae": vae, "reader": reader},
        reconstruction_loss(vae, paintings, ALIGNED, reader),
        Schedule(steps=ALIGNMENT_STEPS, lr=5e-4, ema=0.995),
        work / "vae-aligned",
    )
    load_ema({"vae": vae}, second.ema)
    held_out = painted(work / "data", "pretrain", "heldout", 10)
    vae.register_to_config(scaling_factor=_scaling_factors(vae, paintings)[1])
    vae.save_pretrained(pack / "vae")
    return {
        "hours": first.hours + second.hours,
        "steps": steps + ALIGNMENT_STEPS,
        **evaluate(vae, held_out),
    }


def reconstruction_loss(
    vae: AutoencoderKL,
    paintings: PaintedSet,
    weights: Weights,
    reader: torch.nn.Module | None = None,
) -> Callable[[torch.Generator], torch.Tensor]:
    """The loss on a batch drawn with a generator; `reader` gives logits (B, movements, h, w)."""
    movements = sorted(set(paintings.movements))
    labels = torch.tensor([movements.index(name) for name in paintings.movements])

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = batches(len(paintings), BATCH, generator)
        images = to_model_range(paintings.images[index.numpy()])
        with bfloat16_if_fast():
            posterior = vae.encode(images).latent_dist
            latents = posterior.sample(generator)
            decoded = vae.decode(latents).sample
            perceptual = lpips(decoded / 2 + 0.5, images / 2 + 0.5).mean()
        decoded = decoded.float()
        pixels = (decoded - images).abs().mean()
        edges = sum((decoded.diff(dim=dim) - images.diff(dim=dim)).abs().mean() for dim in (-1, -2))
        total = weights.pixel * (pixels + edges) + weights.lpips * perceptual
        total = total + weights.kl * posterior.kl().mean()
        total = total + weights.mean * posterior.mean.mean((2, 3)).square().mean()
        if reader is not None:
            logits = reader(latents.float()).mean((2, 3))
            style = cross_entropy(logits, labels[index], label_smoothing=LABEL_SMOOTHING)
            total = total + weights.style * style
        return total

    return loss


def _style_reader(channels: int, movements: int) -> torch.nn.Sequential:
    """Logits of each movement from each latent cell alone; used in training only."""
    width = 32
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, width, 1),
        torch.nn.SiLU(),
        torch.nn.Conv2d(width, movements, 1),
    )


@torch.no_grad()
def evaluate(vae: AutoencoderKL, held_out: PaintedSet) -> dict[str, float]:
    """Mean PSNR (dB) and LPIPS of reconstructions of held-out paintings."""
    images = to_model_range(held_out.images)
    decoded = torch.cat([vae(part).sample.clamp(-1, 1) for part in images.split(32)])
    scores = {"psnr": psnr, "lpips": lpips}
    return {
        name: score(decoded / 2 + 0.5, images / 2 + 0.5).mean().item()
        for name, score in scores.items()
    }


@torch.no_grad()
def _scaling_factors(vae: AutoencoderKL, paintings: PaintedSet) -> tuple[float, float]:
    """One over the latents' standard deviation, as Rombach et al. 2022, appendix G, and over that
    within an image. Of aligned latents most variance lies between images: at the first scale an
    image's details would be gone early in the noise schedule."""
    index = np.linspace(0, len(paintings) - 1, 512).astype(int)
    images = to_model_range(paintings.images[index])
    latents = torch.cat([vae.encode(part).latent_dist.mean for part in images.split(32)])
    within = latents - latents.mean((2, 3), keepdim=True)
    return 1 / latents.std().item(), 1 / within.std().item()
