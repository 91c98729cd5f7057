"""Recipe of the atelier's AutoencoderKL: f = 4, 4 latent channels, trained on paintings at 64 px.

Loss: L1 + L1 of finite differences (sharp edges without an adversary) + AlexNet LPIPS + a faint KL
term, as in Rombach et al. 2022 without the discriminator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    bfloat16_if_fast,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.sizes import Sizes
from impress_bench.metrics import lpips, psnr

CONFIG = {
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 4,
    "mid_block_add_attention": False,
    "sample_size": 64,
}
LPIPS_WEIGHT, KL_WEIGHT, BATCH = 0.4, 1e-6, 16


def to_model_range(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [-1, 1], the range of the models."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_vae(work: Path, pack: Path, steps: int, sizes: Sizes) -> dict[str, Any]:
    """Train, write `pack`/vae and return the held-out figures for the model card."""
    torch.manual_seed(sizes.seed)
    vae = AutoencoderKL(**CONFIG, block_out_channels=sizes.vae, norm_num_groups=sizes.vae_groups)
    paintings = painted(work / "data", "pretrain", "pretrain", 400)
    schedule = Schedule(steps=steps, lr=1e-3, ema=0.998, seed=sizes.seed)

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = batches(len(paintings), BATCH, generator)
        images = to_model_range(paintings.images[index.numpy()])
        with bfloat16_if_fast():
            posterior = vae.encode(images).latent_dist
            decoded = vae.decode(posterior.sample(generator)).sample
            perceptual = lpips(decoded / 2 + 0.5, images / 2 + 0.5).mean()
        decoded = decoded.float()
        pixels = (decoded - images).abs().mean()
        edges = sum((decoded.diff(dim=dim) - images.diff(dim=dim)).abs().mean() for dim in (-1, -2))
        return pixels + edges + LPIPS_WEIGHT * perceptual + KL_WEIGHT * posterior.kl().mean()

    outcome = train({"vae": vae}, loss, schedule, work / "vae")
    load_ema({"vae": vae}, outcome.ema)
    held_out = painted(work / "data", "pretrain", "heldout", 10)
    vae.register_to_config(scaling_factor=_scaling_factor(vae, paintings))
    vae.save_pretrained(pack / "vae")
    return {"hours": outcome.hours, "steps": steps, **evaluate(vae, held_out)}


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
def _scaling_factor(vae: AutoencoderKL, paintings: PaintedSet) -> float:
    """One over the latents' standard deviation, as Rombach et al. 2022, appendix G."""
    index = np.linspace(0, len(paintings) - 1, 512).astype(int)
    images = to_model_range(paintings.images[index])
    return (
        1 / torch.cat([vae.encode(part).latent_dist.mean for part in images.split(32)]).std().item()
    )
