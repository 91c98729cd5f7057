"""Recipe of the 9-channel inpainting U-Net: the denoiser, taught to keep a head and paint the rest.

As Stable Diffusion's inpainting model (Rombach et al. 2022): the noisy latents are joined by the
mask and the latents of the masked image; the added input weights start at zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTokenizer

from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.atelier.train.denoiser import (
    Captions,
    encode_all,
    min_snr_weight,
    sample_latents,
)
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    bfloat16_if_fast,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.sizes import Sizes
from impress_bench.benchmark.atelier.train.vae import to_model_range
from impress_bench.metrics import psnr

BATCH = 48
PHOTOGRAPHS = 0.6  # of a batch: what the editing task repaints


def train_inpainter(work: Path, pack: Path, steps: int, sizes: Sizes) -> dict[str, Any]:
    """Train, write `pack`/inpainting/unet, return what the card records."""
    torch.manual_seed(sizes.seed)
    vae = AutoencoderKL.from_pretrained(pack / "vae").eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(pack / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(pack / "text_encoder").float().eval()
    scheduler = DDIMScheduler.from_pretrained(pack / "scheduler")
    unet = _widened(UNet2DConditionModel.from_pretrained(pack / "unet").float())
    portraits = painted(work / "data", "pretrain", "pretrain", 400, subjects=("portrait",))
    latents = encode_all(vae, portraits.images)
    masked = encode_all(vae, _grey_outside(portraits.images, portraits.masks))
    captions = Captions(portraits, tokenizer)
    weight = min_snr_weight(scheduler)
    scale = vae.config.scaling_factor
    photographs = torch.tensor([movement == "photography" for movement in portraits.movements])
    chance = torch.where(photographs, PHOTOGRAPHS / photographs.sum(), 0.0)
    chance = torch.where(photographs, chance, (1 - PHOTOGRAPHS) / (~photographs).sum())
    masks = torch.from_numpy(portraits.masks).float()[:, None]
    repaint = torch.nn.functional.interpolate(1 - masks, 16)

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = torch.multinomial(chance, BATCH, replacement=True, generator=generator)
        clean = sample_latents(latents, index, scale, generator)
        noise = torch.randn(clean.shape, generator=generator)
        timesteps = torch.randint(1000, (BATCH,), generator=generator)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        kept = masked[index, :4].float() * scale
        with torch.no_grad():
            context = text_encoder(captions.draw(index, generator)).last_hidden_state
        joined = torch.cat([noisy, repaint[index], kept], dim=1)
        with bfloat16_if_fast():
            predicted = unet(joined, timesteps, context).sample
        error = (predicted.float() - noise).square().mean((1, 2, 3))
        return (weight[timesteps] * error).mean()

    schedule = Schedule(steps=steps, lr=6e-4, ema=0.999, seed=sizes.seed)
    outcome = train({"unet": unet}, loss, schedule, work / "inpainter")
    load_ema({"unet": unet}, outcome.ema)
    pipeline = StableDiffusionInpaintPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    figures = evaluate(pipeline, painted(work / "data", "pretrain", "heldout", 20, ("portrait",)))
    unet.half().save_pretrained(pack / "inpainting" / "unet")
    return {"hours": outcome.hours, "steps": steps, **figures}


def evaluate(pipeline: StableDiffusionInpaintPipeline, held_out: PaintedSet) -> dict[str, float]:
    """On held-out photographs: PSNR (dB) of the kept head, and of the whole against the original
    whose caption it was given (a captioned background comes close, another does not)."""
    index = [i for i, name in enumerate(held_out.movements) if name == "photography"][:64]
    photographs = held_out.select(np.array(index))
    original = to_model_range(photographs.images) / 2 + 0.5
    keep = torch.from_numpy(photographs.masks)[:, None]
    pipeline.set_progress_bar_config(disable=True)
    painted_over = pipeline(
        list(photographs.titles),
        image=original,
        mask_image=1 - keep.float(),
        num_inference_steps=25,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(0),
        height=64,
        width=64,
        output_type="pt",
    ).images
    inside = torch.where(keep, painted_over, original)
    area = keep.float().mean((1, 2, 3))
    head = psnr(inside, original) + 10 * area.log10()  # error over the head's pixels alone
    shuffled = psnr(painted_over, original.roll(1, 0))
    return {
        "head_psnr": head.mean().item(),
        "psnr_to_captioned_original": psnr(painted_over, original).mean().item(),
        "psnr_to_another_original": shuffled.mean().item(),
    }


def _widened(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same U-Net with 9 input channels, the new five at zero weight."""
    config = {**unet.config, "in_channels": 9}
    config.pop("_name_or_path")  # a folder of the machine that trains
    wide = UNet2DConditionModel.from_config(config)
    weights = unet.state_dict()
    first = weights["conv_in.weight"]
    weights["conv_in.weight"] = torch.cat([first, first.new_zeros(len(first), 5, 3, 3)], dim=1)
    wide.load_state_dict(weights)
    return wide


def _grey_outside(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images with mid-grey wherever the model is to paint, as the inpainting pipeline has it."""
    return np.where(masks[..., None], images, np.uint8(128))
