"""Recipe of the atelier's denoiser: UNet2DConditionModel and its CLIPTextModel, trained together.

Loss: epsilon prediction (Ho et al. 2020) or v-prediction (Salimans and Ho 2022) on Stable
Diffusion's noise schedule, weighted by min-SNR-5 (Hang et al. 2023), which reaches recognisable
samples in far fewer steps.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, ModelMixin, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    fast_arithmetic,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.recipes.vae import to_model_range
from impress_bench.benchmark.atelier.train.tokens import build_tokenizer, text_config

WIDTH, BATCH, MIN_SNR = 128, 64, 5.0
CONFIG = {
    "sample_size": 16,
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 16,
}
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def train_denoiser(job: Job) -> dict[str, Any]:
    """Train, write `pack`/{unet,text_encoder,tokenizer,scheduler}, return hours and steps.

    It learns on latents of the encoder in `pack`/vae, the calibrated one: whoever uses the pack
    encodes with that. With `job.onward` it goes on from the weights in `pack`, in half precision
    and without the optimizer's moments, and keeps their tokenizer; so the classifiers, who use
    that, need not be trained again. `figures.denoiser_figures` measures it.
    """
    pack, device = job.pack, job.device
    torch.manual_seed(job.sizes.seed)
    vae = AutoencoderKL.from_pretrained(pack / "vae").eval().to(device)
    tokenizer, text_encoder, unet = _stored(pack) if job.onward else _new(job)
    scheduler = DDIMScheduler(**SCHEDULER, prediction_type=job.sizes.prediction)
    paintings = job.painted("pretrain", "pretrain", 400)
    latents = encode_all(vae, paintings.images)
    captions = Captions(paintings, tokenizer)
    weight = min_snr_weight(scheduler).to(device)
    epsilon = job.sizes.prediction == "epsilon"
    modules = {"unet": unet.to(device), "text_encoder": text_encoder.to(device)}

    def loss(generator: torch.Generator) -> torch.Tensor:
        index = batches(len(paintings), BATCH, generator)
        clean = sample_latents(latents, index, vae.config.scaling_factor, generator)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        timesteps = torch.randint(1000, (BATCH,), generator=generator).to(device)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        with fast_arithmetic(device):
            context = text_encoder(captions.draw(index, generator).to(device)).last_hidden_state
            predicted = unet(noisy, timesteps, context).sample
        wanted = noise if epsilon else scheduler.get_velocity(clean, noise, timesteps)
        error = (predicted.float() - wanted).square().mean((1, 2, 3))
        return (weight[timesteps] * error).mean()

    seed = job.sizes.seed + job.onward  # other draws than the steps before had
    schedule = Schedule(job.steps, lr=6e-4 if job.onward else 1e-3, ema=0.999, seed=seed)
    origin = job.digest("vae", "unet", "text_encoder") if job.onward else job.digest("vae")
    outcome = train(modules, loss, schedule, job.work / "denoiser", origin)
    load_ema(modules, outcome.ema)
    unet.half().cpu().save_pretrained(pack / "unet")
    text_encoder.half().cpu().save_pretrained(pack / "text_encoder")
    scheduler.save_pretrained(pack / "scheduler")
    if not (pack / "model_index.json").exists():
        shutil.copy(PACK / "model_index.json", pack)
    return {"hours": outcome.hours, "steps": job.steps}


def _new(job: Job) -> tuple[CLIPTokenizer, CLIPTextModel, UNet2DConditionModel]:
    """A tokenizer, written into the pack, and networks of random weights."""
    tokenizer = build_tokenizer(job.pack / "tokenizer")
    text_encoder = CLIPTextModel(text_config(tokenizer, WIDTH))
    return (
        tokenizer,
        text_encoder,
        UNet2DConditionModel(**CONFIG, block_out_channels=job.sizes.unet),
    )


def _stored(pack: Path) -> tuple[CLIPTokenizer, CLIPTextModel, UNet2DConditionModel]:
    """The pack's own, in float32 and in training mode."""
    stored = UNet2DConditionModel.from_pretrained(pack / "unet").float()
    unet = UNet2DConditionModel.from_config(portable_config(stored))
    unet.load_state_dict(stored.state_dict())
    return (
        CLIPTokenizer.from_pretrained(pack / "tokenizer"),
        CLIPTextModel.from_pretrained(pack / "text_encoder").float().train(),
        unet,
    )


def portable_config(network: ModelMixin) -> dict[str, Any]:
    """Its configuration without `_name_or_path`, a folder of the machine that trains."""
    return {key: value for key, value in network.config.items() if key != "_name_or_path"}


class Captions:
    """Token ids of the captions under which a painting is learned, one drawn at every step."""

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
    """Posterior parameters (N, 2 C, 16, 16) in float16, on the device of `vae`, of uint8 images
    (N, 64, 64, 3): encoded once, sampled often."""
    parts = []
    for start in range(0, len(images), 64):
        pixels = to_model_range(images[start : start + 64]).to(vae.device)
        parts.append(vae.encode(pixels).latent_dist.parameters.half())
    return torch.cat(parts)


def sample_latents(
    parameters: torch.Tensor,
    index: torch.Tensor,
    scale: float,
    generator: torch.Generator,
    shift: float = 0.0,
) -> torch.Tensor:
    """Shifted and scaled latents (B, C, 16, 16) drawn from the posteriors at `index` (B,), on the
    device of `parameters`; `index` and `generator` are on the CPU."""
    mean, log_variance = parameters[index.to(parameters.device)].float().chunk(2, dim=1)
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return (mean + (log_variance / 2).clamp(-15, 10).exp() * noise - shift) * scale


def min_snr_weight(scheduler: DDIMScheduler) -> torch.Tensor:
    """min(SNR, 5) / SNR for each of the 1,000 timesteps, for epsilon prediction; over SNR + 1 for
    v-prediction."""
    snr = scheduler.alphas_cumprod / (1 - scheduler.alphas_cumprod)
    return snr.clamp(max=MIN_SNR) / (snr + (scheduler.config.prediction_type == "v_prediction"))
