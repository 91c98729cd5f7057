"""Recipe of the diffusion model on pixels, with which the purifier `pdm-pure` denoises.

Loss: epsilon prediction (Ho et al. 2020) on the cosine schedule, unconditional, on the paintings
that the denoiser learns from. Low timesteps, which the purifier uses, are drawn more often than
high ones. Nothing that a protection makes takes part.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from impress_bench.attacks.jpeg import Jpeg
from impress_bench.attacks.pdm_pure import NETWORK, TIMESTEPS, PdmPure, signal
from impress_bench.benchmark.atelier.train.data import per_movement
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    fast_arithmetic,
    load_ema,
    train,
)
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import PLUGINS
from impress_bench.benchmark.models.susceptibility import drive, share_left
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import BUDGET_NORMS, psnr

WIDTHS = (32, 48, 64, 96)
BATCH = 8
#: A timestep is 1,000 u^`SKEW` for u in [0, 1): half of them lie below 125. Each image of a batch
#: draws from a stratum of its own.
SKEW = 3
#: Of the attack on whose images figures are taken: steps, L-inf radius, paintings of a movement.
ATTACK_STEPS, RADIUS, EACH = 50, 16 / 255, 4
MEASURED = (11, 44, 99, 299)  # timesteps at which the error is measured


def train_pixel(job: Job) -> dict[str, Any]:
    """Train, write `pack`/plugins/pixel, return hours, steps and figures on held-out paintings."""
    device = job.device
    torch.manual_seed(job.sizes.seed)
    network = pixel_unet.new(3, 3, WIDTHS).to(device)
    paintings = torch.from_numpy(job.painted("pretrain", "pretrain", 400).images)
    signals = torch.tensor([signal(t) for t in range(TIMESTEPS - 1)])

    def loss(generator: torch.Generator) -> Tensor:
        clean = _images(paintings[batches(len(paintings), BATCH, generator)])
        drawn = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
        timesteps = (drawn**SKEW * len(signals)).long().clamp_max(len(signals) - 1)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = _noised(clean, noise, signals[timesteps])
        with fast_arithmetic(device):
            predicted = pixel_unet.run(network, noisy.to(device), timesteps.to(device))
        return (predicted.float() - noise.to(device)).square().mean()

    schedule = Schedule(job.steps, lr=1e-3, ema=0.998, weight_decay=0, seed=job.sizes.seed)
    outcome = train({"network": network}, loss, schedule, job.work / "pixel", f"{BATCH} {SKEW}")
    load_ema({"network": network}, outcome.ema)
    network.half().cpu().save_pretrained(job.pack / PLUGINS / NETWORK)
    size = sum(parameter.numel() for parameter in network.parameters())
    figures = pixel_figures(job)
    return {"hours": outcome.hours, "steps": job.steps, "parameters": size, **figures}


@torch.no_grad()
def pixel_figures(job: Job) -> dict[str, Any]:
    """What the card records of the network in `job.pack`, means over held-out paintings.

    - `error_T`: mean squared error of the noise at timestep T; 1 is no prediction.
    - `psnr_clean`, `lpips_clean`: of a clean painting, purified, to itself; the former in dB.
    - `latents_left`: squared distance of latents to the clean painting's, as a share of the
      attacked one's, after an attack on the encoder towards grey; 0 is clean. `_jpeg_75` is what
      JPEG of that quality leaves.
    - `*_five_steps`: the same where no more steps are taken back than there is noise for.
    """
    network = pixel_unet.load(job.pack / PLUGINS / NETWORK, job.device)
    vae = AutoencoderKL.from_pretrained(job.pack / "vae").to(job.device).eval()
    encode = partial(_encode, vae.requires_grad_(False))
    images = to_tensor(per_movement(job.painted("pretrain", "heldout", 10), EACH).images)
    images = images.to(job.device)
    figures: dict[str, Any] = {}
    for timestep in MEASURED:
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(timestep))
        noisy = _noised(2 * images - 1, noise.to(images), torch.tensor([signal(timestep)]))
        predicted = pixel_unet.run(network, noisy, timestep)
        figures[f"error_{timestep}"] = (predicted - noise.to(images)).square().mean().item()

    goal, grey = encode(images), encode(torch.full_like(images[:1], 0.5))
    with torch.enable_grad():
        attacked = drive(encode, images, grey, RADIUS, steps=ATTACK_STEPS)
    weights = str(job.pack / PLUGINS / NETWORK)
    ways = {
        "": PdmPure(weights=weights),
        "_five_steps": PdmPure(weights=weights, denoised=5),
        "_jpeg_75": Jpeg(quality=75),
    }
    for name, purifier in ways.items():
        clean, purified = (
            purifier(x, Context(torch.Generator().manual_seed(0))).images.to(images)
            for x in (images, attacked)
        )
        figures[f"psnr_clean{name}"] = psnr(clean, images).mean().item()
        figures[f"lpips_clean{name}"] = BUDGET_NORMS["lpips"](clean, images).mean().item()
        left = share_left(encode, attacked, purified, goal)
        figures[f"latents_left{name}"] = left.mean().item()
    return figures


def _images(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) as (B, 3, H, W) in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def _noised(images: Tensor, noise: Tensor, signals: Tensor) -> Tensor:
    """`images` with as much `noise` as leaves `signals` (B,) of the variance theirs."""
    kept = signals.to(images)[:, None, None, None]
    return kept.sqrt() * images + (1 - kept).sqrt() * noise


def _encode(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Latents (B, 4, h, w), means of the posterior, of images in [0, 1]."""
    return vae.encode(2 * images - 1).latent_dist.mean
