"""Recipe of the 9-channel inpainting U-Net: the denoiser, taught to keep a head and paint the rest.

As Stable Diffusion's inpainting model (Rombach et al. 2022): the noisy latents are joined by the
mask and the latents of the masked image; the added input weights start at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch.nn.functional import interpolate
from transformers import CLIPTextModel, CLIPTokenizer

from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import Schedule, fast_arithmetic, load_ema, train
from impress_bench.benchmark.atelier.train.recipes.denoiser import (
    Captions,
    encode_all,
    min_snr_weight,
    portable_config,
    sample_latents,
)

BATCH = 48
PHOTOGRAPHS = 0.6  # of a batch: what the editing task repaints


def train_inpainter(job: Job) -> dict[str, Any]:
    """Train, write `pack`/inpainting/unet, return hours and steps.

    It starts from the denoiser and learns on latents of the encoder in `pack`/vae, as that did.
    `figures.inpainter_figures` measures it.
    """
    pack, device = job.pack, job.device
    torch.manual_seed(job.sizes.seed)
    vae = AutoencoderKL.from_pretrained(pack / "vae").eval().requires_grad_(False).to(device)
    tokenizer = CLIPTokenizer.from_pretrained(pack / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(pack / "text_encoder").float().eval().to(device)
    scheduler = DDIMScheduler.from_pretrained(pack / "scheduler")
    origin = job.digest("vae", "unet", "text_encoder")
    unet = _widened(UNet2DConditionModel.from_pretrained(pack / "unet").float()).to(device)
    portraits = job.painted("pretrain", "pretrain", 400, subjects=("portrait",))
    latents = encode_all(vae, portraits.images)
    masked = encode_all(vae, _grey_outside(portraits.images, portraits.masks))
    captions = Captions(portraits, tokenizer)
    weight = min_snr_weight(scheduler).to(device)
    scale = vae.config.scaling_factor
    photographs = torch.tensor([movement == "photography" for movement in portraits.movements])
    chance = torch.where(photographs, PHOTOGRAPHS / photographs.sum(), 0.0)
    chance = torch.where(photographs, chance, (1 - PHOTOGRAPHS) / (~photographs).sum())
    masks = torch.from_numpy(portraits.masks).float()[:, None]
    repaint = interpolate(1 - masks, 16).to(device)

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = torch.multinomial(chance, BATCH, replacement=True, generator=generator)
        clean = sample_latents(latents, index, scale, generator)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        timesteps = torch.randint(1000, (BATCH,), generator=generator).to(device)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        tokens = captions.draw(index, generator).to(device)
        chosen = index.to(device)
        kept = masked[chosen, :4].float() * scale
        with torch.no_grad():
            context = text_encoder(tokens).last_hidden_state
        joined = torch.cat([noisy, repaint[chosen], kept], dim=1)
        with fast_arithmetic(device):
            predicted = unet(joined, timesteps, context).sample
        error = (predicted.float() - noise).square().mean((1, 2, 3))
        return (weight[timesteps] * error).mean()

    schedule = Schedule(steps=job.steps, lr=6e-4, ema=0.999, seed=job.sizes.seed)
    outcome = train({"unet": unet}, loss, schedule, job.work / "inpainter", origin)
    load_ema({"unet": unet}, outcome.ema)
    unet.half().cpu().save_pretrained(pack / "inpainting" / "unet")
    return {"hours": outcome.hours, "steps": job.steps}


def _widened(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same U-Net with 9 input channels, the new five at zero weight."""
    wide = UNet2DConditionModel.from_config({**portable_config(unet), "in_channels": 9})
    weights = unet.state_dict()
    first = weights["conv_in.weight"]
    weights["conv_in.weight"] = torch.cat([first, first.new_zeros(len(first), 5, 3, 3)], dim=1)
    wide.load_state_dict(weights)
    return wide


def _grey_outside(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images (N, 64, 64, 3) with mid-grey outside `masks`, as the inpainting pipeline sees them."""
    return np.where(masks[..., None], images, np.uint8(128))
