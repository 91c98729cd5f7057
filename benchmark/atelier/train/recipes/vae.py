"""Recipe of the atelier's AutoencoderKL: f = 4, 4 or 16 latent channels, on paintings at 64 px.

Loss: L1 + L1 of finite differences (sharp edges without an adversary) + AlexNet LPIPS + a faint KL
term, as in Rombach et al. 2022 without the discriminator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from impress_bench.benchmark.atelier import UNCALIBRATED
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.job import Job
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
    "mid_block_add_attention": False,
    "sample_size": 64,
}
LPIPS_WEIGHT, KL_WEIGHT, BATCH = 0.4, 1e-6, 16


def to_model_range(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) as float32 (N, 3, H, W) in [-1, 1], the range of the models."""
    return torch.tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_vae(job: Job) -> dict[str, Any]:
    """Train, write `pack`/vae and return the held-out figures for the model card.

    The uncalibrated encoder of an earlier calibration is removed: the next one starts from here.
    """
    sizes, device = job.sizes, job.device
    torch.manual_seed(sizes.seed)
    vae = new_vae(sizes).to(device)
    paintings = job.painted("pretrain", "pretrain", 400)
    schedule = Schedule(steps=job.steps, lr=1e-3, ema=0.998, seed=sizes.seed)

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = batches(len(paintings), BATCH, generator)
        images = to_model_range(paintings.images[index.numpy()]).to(device)
        with bfloat16_if_fast(device):
            posterior = vae.encode(images).latent_dist
            # Not by `posterior.sample`, which draws other values where it computes in bfloat16.
            noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
            decoded = vae.decode(posterior.mean + posterior.std * noise).sample
            perceptual = lpips(decoded / 2 + 0.5, images / 2 + 0.5).mean()
        decoded = decoded.float()
        pixels = (decoded - images).abs().mean()
        edges = sum((decoded.diff(dim=dim) - images.diff(dim=dim)).abs().mean() for dim in (-1, -2))
        return pixels + edges + LPIPS_WEIGHT * perceptual + KL_WEIGHT * posterior.kl().mean()

    outcome = train({"vae": vae}, loss, schedule, job.work / "vae")
    load_ema({"vae": vae}, outcome.ema)
    vae.register_to_config(**_normalisation(vae, paintings))
    (job.pack / UNCALIBRATED).unlink(missing_ok=True)
    vae.save_pretrained(job.pack / "vae")
    held_out = job.painted("pretrain", "heldout", 10)
    return {"hours": outcome.hours, "steps": job.steps, **evaluate(vae, held_out)}


def new_vae(sizes: Sizes) -> AutoencoderKL:
    """An autoencoder of random weights. For a flow it has, as Stable Diffusion 3's, a shift beside
    the scale of its latents and no convolutions between these and its networks."""
    flow = sizes.flow is not None
    return AutoencoderKL(
        **CONFIG,
        latent_channels=sizes.latent_channels,
        block_out_channels=sizes.vae,
        norm_num_groups=sizes.vae_groups,
        use_quant_conv=not flow,
        use_post_quant_conv=not flow,
        shift_factor=0.0 if flow else None,
    )


@torch.no_grad()
def evaluate(vae: AutoencoderKL, held_out: PaintedSet) -> dict[str, float]:
    """Mean PSNR (dB) and LPIPS of reconstructions of held-out paintings."""
    images = to_model_range(held_out.images)
    parts = [part.to(vae.device) for part in images.split(32)]
    decoded = torch.cat([vae(part).sample.clamp(-1, 1).cpu() for part in parts])
    scores = {"psnr": psnr, "lpips": lpips}
    return {
        name: score(decoded / 2 + 0.5, images / 2 + 0.5).mean().item()
        for name, score in scores.items()
    }


@torch.no_grad()
def _normalisation(vae: AutoencoderKL, paintings: PaintedSet) -> dict[str, float]:
    """One over the latents' standard deviation, as Rombach et al. 2022, appendix G, and for a VAE
    with a shift also their mean."""
    index = np.linspace(0, len(paintings) - 1, min(512, len(paintings))).astype(int)
    images = to_model_range(paintings.images[index])
    parts = [part.to(vae.device) for part in images.split(32)]
    latents = torch.cat([vae.encode(part).latent_dist.mean for part in parts])
    found = {"scaling_factor": 1 / latents.std().item()}
    if vae.config.shift_factor is not None:
        found["shift_factor"] = latents.mean().item()
    return found
