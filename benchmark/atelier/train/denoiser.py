"""Recipe of the atelier's denoiser: UNet2DConditionModel and its CLIPTextModel, trained together.

First on the latents of the VAE before its alignment, by epsilon prediction (Ho et al. 2020) on
Stable Diffusion's noise schedule: composition is learned there. Learned from nothing on aligned
latents, where most variance lies between images, 1,500 steps paint colours and marks but no motif.
Then on the aligned latents, by velocity prediction (Salimans and Ho 2022), as Stable Diffusion 2 at
768 px, on the same schedule ended in pure noise (Lin et al. 2023). Both are weighted as min-SNR-5
(Hang et al. 2023), which reaches recognisable samples in far fewer steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from impress_bench.benchmark.atelier.train.data import PaintedSet, painted
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    bfloat16_if_fast,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.tokens import MAX_LENGTH, build_tokenizer
from impress_bench.benchmark.atelier.train.vae import PLAIN_VAE, to_model_range
from impress_bench.benchmark.models.fine_tuning import target

WIDTH, BATCH, MIN_SNR, ALIGNED_STEPS = 128, 64, 5.0, 1600
CONFIG = {
    "sample_size": 16,
    "block_out_channels": (64, 96, 128),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 16,
}
FIRST_SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
#: Stable Diffusion's last step leaves an image's mean to be seen. The means of aligned latents say
#: much about a style, and a sampler beginning with noise of mean zero would tell a wrong one.
SCHEDULER = FIRST_SCHEDULER | {
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


def train_denoiser(work: Path, pack: Path, steps: int) -> dict[str, Any]:
    """Train, write `pack`/{unet,text_encoder,tokenizer,scheduler}, return what the card records."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(pack / "tokenizer")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(**CONFIG)
    paintings = painted(work / "data", "pretrain", "pretrain", 400)
    captions = Captions(paintings, tokenizer)
    modules = {"unet": unet, "text_encoder": text_encoder}

    def learn(vae: AutoencoderKL, scheduler: DDIMScheduler, schedule: Schedule, name: str) -> float:
        latents = encode_all(vae.eval(), paintings.images)
        weight = loss_weight(scheduler)

        def loss(generator: torch.Generator) -> torch.Tensor:
            index = batches(len(paintings), BATCH, generator)
            clean = sample_latents(latents, index, vae.config.scaling_factor, generator)
            noise = torch.randn(clean.shape, generator=generator)
            timesteps = torch.randint(1000, (BATCH,), generator=generator)
            noisy = scheduler.add_noise(clean, noise, timesteps)
            with bfloat16_if_fast():
                context = text_encoder(captions.draw(index, generator)).last_hidden_state
                predicted = unet(noisy, timesteps, context).sample
            error = predicted.float() - target(scheduler, clean, noise, timesteps)
            return (weight[timesteps] * error.square().mean((1, 2, 3))).mean()

        outcome = train(modules, loss, schedule, work / name)
        load_ema(modules, outcome.ema)
        return outcome.hours

    plain = AutoencoderKL.from_pretrained(work / PLAIN_VAE)
    aligned = AutoencoderKL.from_pretrained(pack / "vae")
    first, scheduler = DDIMScheduler(**FIRST_SCHEDULER), DDIMScheduler(**SCHEDULER)
    hours = learn(plain, first, Schedule(steps=steps, lr=1e-3, ema=0.999), "denoiser")
    second = Schedule(steps=ALIGNED_STEPS, lr=1e-3, ema=0.998)
    hours += learn(aligned, scheduler, second, "denoiser-aligned")
    unet.half().save_pretrained(pack / "unet")
    text_encoder.half().save_pretrained(pack / "text_encoder")
    scheduler.save_pretrained(pack / "scheduler")
    return {"hours": hours, "steps": steps + ALIGNED_STEPS}


class Captions:
    """Token ids of the captions a painting may be learned under, drawn anew at every step."""

    #: Share of each form. An empty caption trains the unconditional model that guidance needs.
    FORMS = (
        ("{title} by {artist}", 0.45),
        ("{title}, {movement}", 0.2),
        ("{title}", 0.1),
        ("{movement} by {artist}", 0.1),
        ("{movement}", 0.05),
        ("", 0.1),
    )

    def __init__(self, paintings: PaintedSet, tokenizer: CLIPTokenizer) -> None:
        names = zip(paintings.titles, paintings.artists, paintings.movements, strict=True)
        records = [dict(zip(("title", "artist", "movement"), name, strict=True)) for name in names]
        self.tokens = torch.stack(
            [
                tokenizer(
                    [form.format(**record) for record in records],
                    padding="max_length",
                    truncation=True,
                    return_tensors="pt",
                ).input_ids
                for form, _ in self.FORMS
            ]
        ).int()
        self.shares = torch.tensor([share for _, share in self.FORMS])

    def draw(self, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(B, MAX_LENGTH) token ids for the paintings at `index`."""
        form = torch.multinomial(self.shares, len(index), replacement=True, generator=generator)
        return self.tokens[form, index].long()


@torch.no_grad()
def encode_all(vae: AutoencoderKL, images: np.ndarray) -> torch.Tensor:
    """Posterior parameters (N, 8, 16, 16) in fp16 of uint8 images: encoded once, sampled often."""
    parts = []
    for start in range(0, len(images), 64):
        posterior = vae.encode(to_model_range(images[start : start + 64])).latent_dist
        parts.append(posterior.parameters.half())
    return torch.cat(parts)


def sample_latents(
    parameters: torch.Tensor, index: torch.Tensor, scale: float, generator: torch.Generator
) -> torch.Tensor:
    """Scaled latents drawn from the posteriors at `index`."""
    mean, log_variance = parameters[index].float().chunk(2, dim=1)
    noise = torch.randn(mean.shape, generator=generator)
    return (mean + (log_variance / 2).clamp(-15, 10).exp() * noise) * scale


def loss_weight(scheduler: DDIMScheduler) -> torch.Tensor:
    """Weight of the squared error at each of the 1,000 timesteps: min(SNR, 5), in terms of the
    image, for epsilon prediction; for velocity never below 1 there (Salimans and Ho 2022, truncated
    SNR), since where SNR comes to 0 the means of images are still to be learned."""
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    if scheduler.config.prediction_type == "v_prediction":
        return snr.clamp(1, MIN_SNR) / (snr + 1)
    return snr.clamp(max=MIN_SNR) / snr
