"""Recipe of atelier-flow's denoiser: SD3Transformer2DModel and two CLIP text encoders, together.

Loss: a rectified flow's (Liu et al. 2023; Esser et al. 2024). At a time s, the sigmoid of a normal
number, latents are (1 - s) x + s noise, and noise - x is predicted; all times weigh alike.
Departures from Stable Diffusion 3: the text encoders learn along, there is no T5 and nothing in its
place, and the schedule is not shifted, which images of more pixels than these need.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
from torch import Tensor
from torch.nn.functional import pad
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    fast_arithmetic,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.recipes.denoiser import (
    Captions,
    encode_all,
    portable_config,
    sample_latents,
)
from impress_bench.benchmark.atelier.train.tokens import build_tokenizer, text_config

BATCH = 64
#: Zeros in the place of T5's tokens. diffusers' pipeline puts 256 there, which would make every
#: step four times as long; `model_index.json` says how many this model learned with.
T5_TOKENS = 0
TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
INDEX = {
    "_class_name": "StableDiffusion3Pipeline",
    "_diffusers_version": diffusers.__version__,
    "_t5_tokens": T5_TOKENS,
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    **{name: ["transformers", "CLIPTextModelWithProjection"] for name in TEXT_ENCODERS},
    "text_encoder_3": [None, None],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "tokenizer_3": [None, None],
    "transformer": ["diffusers", "SD3Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


@dataclass(frozen=True)
class Networks:
    """What learns."""

    transformer: SD3Transformer2DModel
    text_encoder: CLIPTextModelWithProjection
    text_encoder_2: CLIPTextModelWithProjection

    def embed(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Of token ids (B, length) the embeddings of tokens (B, length + T5_TOKENS, width) and of
        prompts (B, width), as `StableDiffusion3Pipeline.encode_prompt` joins them."""
        encoders = (self.text_encoder, self.text_encoder_2)
        encoded = [encoder(tokens, output_hidden_states=True) for encoder in encoders]
        text = torch.cat([each.hidden_states[-2] for each in encoded], dim=-1)
        pooled = torch.cat([each.text_embeds for each in encoded], dim=-1)
        return pad(text, (0, 0, 0, T5_TOKENS)), pooled

    def loss(self, clean: Tensor, noise: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        """Mean squared error of what is predicted for latents `clean` (B, C, h, w), moved towards
        `noise` up to `times` (B,) in (0, 1), under prompts of token ids (B, length)."""
        share = times[:, None, None, None]
        noisy = (1 - share) * clean + share * noise
        with fast_arithmetic(clean.device):
            text, pooled = self.embed(tokens)
            predicted = self.transformer(
                noisy,
                timestep=1000 * times,
                encoder_hidden_states=text,
                pooled_projections=pooled,
            ).sample
        return (predicted.float() - (noise - clean)).square().mean()


def train_flow(job: Job) -> dict[str, Any]:
    """Train, write all of `pack` but vae and uncalibrated, return hours and steps.

    It learns on latents of the encoder in `pack`/vae, the calibrated one. With `job.onward` it goes
    on from the weights in `pack`, in half precision and without the optimizer's moments.
    `figures.denoiser_figures` measures it.
    """
    pack, device = job.pack, job.device
    torch.manual_seed(job.sizes.seed)
    vae = AutoencoderKL.from_pretrained(pack / "vae").eval().to(device)
    tokenizer = build_tokenizer(pack / "tokenizer")
    build_tokenizer(pack / "tokenizer_2")
    networks = _stored(pack) if job.onward else _new(job, tokenizer)
    modules = {name: network.to(device) for name, network in vars(networks).items()}
    paintings = job.painted("pretrain", "pretrain", 400)
    latents = encode_all(vae, paintings.images)
    captions = Captions(paintings, tokenizer)
    scale, shift = vae.config.scaling_factor, vae.config.shift_factor

    def loss(generator: torch.Generator) -> Tensor:
        index = batches(len(paintings), BATCH, generator)
        clean = sample_latents(latents, index, scale, generator, shift)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        times = torch.randn(BATCH, generator=generator).sigmoid().to(device)
        return networks.loss(clean, noise, times, captions.draw(index, generator).to(device))

    seed = job.sizes.seed + job.onward  # other draws than the steps before had
    schedule = Schedule(
        job.steps, lr=6e-4 if job.onward else 1e-3, ema=0.999, warmup=400, seed=seed
    )
    learned_from = ("vae", *modules) if job.onward else ("vae",)
    outcome = train(modules, loss, schedule, job.work / "denoiser", job.digest(*learned_from))
    load_ema(modules, outcome.ema)
    for name, network in modules.items():
        network.half().cpu().save_pretrained(pack / name)
    FlowMatchEulerDiscreteScheduler(shift=1.0).save_pretrained(pack / "scheduler")
    (pack / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")
    return {"hours": outcome.hours, "steps": job.steps}


def _new(job: Job, tokenizer: CLIPTokenizer) -> Networks:
    """Networks of random weights."""
    flow = job.sizes.flow
    assert flow is not None
    width = flow.heads * flow.head_width
    side = 64 // 4  # of the latents
    transformer = SD3Transformer2DModel(
        sample_size=side,
        patch_size=2,
        in_channels=job.sizes.latent_channels,
        out_channels=job.sizes.latent_channels,
        num_layers=flow.blocks,
        num_attention_heads=flow.heads,
        attention_head_dim=flow.head_width,
        joint_attention_dim=sum(flow.texts),
        pooled_projection_dim=sum(flow.texts),
        caption_projection_dim=width,
        pos_embed_max_size=side,  # in tokens: images of up to twice the side
        qk_norm="rms_norm",  # as Stable Diffusion 3.5
    )
    configs = (text_config(tokenizer, width) for width in flow.texts)
    return Networks(transformer, *(CLIPTextModelWithProjection(each) for each in configs))


def _stored(pack: Path) -> Networks:
    """The pack's own, in float32 and in training mode."""
    stored = SD3Transformer2DModel.from_pretrained(pack / "transformer").float()
    transformer = SD3Transformer2DModel.from_config(portable_config(stored))
    transformer.load_state_dict(stored.state_dict())
    load = CLIPTextModelWithProjection.from_pretrained
    return Networks(transformer, *(load(pack / name).float().train() for name in TEXT_ENCODERS))
