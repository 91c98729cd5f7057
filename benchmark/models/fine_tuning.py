"""Fine-tuning of the denoiser on a few captioned images, as style mimicry does.

Follows diffusers' `train_text_to_image`, which the IMPRESS experiments use: only the U-Net learns,
loss on noise or velocity, constant rate, AdamW, gradient norm clipped at 1, and the averaged
weights are kept. With a rank it follows `train_text_to_image_lora`, where adapters of the U-Net's
attention learn in its place. Departures: images are encoded once and latents sampled from the
stored posteriors; no flips, since where the light falls or a seal stands is part of a style;
adapters are averaged as the whole U-Net is; no `accelerate`, since a stage has one device and the
U-Net itself knows its precision.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor

from impress_bench.benchmark.models.families.stable_diffusion.pipelines import rebuilt
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.low_rank import add_adapters, merge_adapters
from impress_bench.benchmark.models.posterior import posterior

if TYPE_CHECKING:
    from diffusers import DDIMScheduler


def fine_tune(
    model: LatentDiffusion,
    images: Tensor,
    prompts: Sequence[str],
    *,
    steps: int,
    lr: float,
    batch_size: int,
    generator: torch.Generator,
    microbatch: int | None = None,
    lora_rank: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LatentDiffusion:
    """A copy of `model` whose U-Net has learned `images` (B, 3, H, W) in [0, 1] under `prompts`.

    `model` itself is not changed; VAE and text encoder are shared with the copy. Gradients of a
    batch are accumulated over `microbatch` images at a time, by default all of them. With
    `lora_rank` (at least 1) adapters of that rank learn, and are then merged into the weights of
    the copy, which is a plain U-Net either way. Raises ValueError unless there is one prompt an
    image, FloatingPointError where the loss stops being finite, and ModuleNotFoundError where
    `peft`, which `lora_rank` needs, is not installed.
    """
    if len(images) != len(prompts) or not len(images):
        raise ValueError(f"{len(images)} images but {len(prompts)} prompts to fine-tune on")
    unet = copy.deepcopy(model.pipeline.unet).train().requires_grad_(True)
    if lora_rank is None:
        learning = list(unet.parameters())
    else:
        learning = add_adapters(unet, lora_rank, generator)
    learner = replace(model, pipeline=rebuilt(model.pipeline, unet=unet))
    scheduler = model.noise_schedule
    with torch.no_grad():
        encoded = posterior(model, images)
        contexts = model.embed(prompts)
    optimizer = torch.optim.AdamW(learning, lr=lr, weight_decay=1e-2, fused=True)
    average = EMAModel(learning)
    for step in range(steps):
        index = torch.randint(len(images), (batch_size,), generator=generator)
        draw = torch.randn((2, batch_size, *encoded.mean.shape[1:]), generator=generator)
        draw = draw.to(encoded.mean)
        clean = (encoded.mean[index] + encoded.std[index] * draw[0]) * model.latent_scale
        count = scheduler.config.num_train_timesteps
        timesteps = torch.randint(count, (batch_size,), generator=generator).to(model.device)
        noisy = scheduler.add_noise(clean, draw[1], timesteps)
        wanted = target(scheduler, clean, draw[1], timesteps)
        optimizer.zero_grad(set_to_none=True)
        for part in torch.arange(batch_size).split(microbatch or batch_size):
            embedded = contexts[index[part]]
            predicted = unet(noisy[part], timesteps[part], encoder_hidden_states=embedded).sample
            loss = (predicted - wanted[part]).square().mean() * (len(part) / batch_size)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"fine-tuning diverged at step {step} with lr={lr}")
            loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        average.step(learning)
        progress(step + 1, steps)
    average.copy_to(learning)
    if lora_rank is not None:
        merge_adapters(unet)
    unet.requires_grad_(False).eval()
    return learner


def target(scheduler: DDIMScheduler, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What a U-Net on this schedule is to predict: the noise, or the velocity (Salimans and Ho
    2022), as Stable Diffusion 2 at 768 px does. Raises ValueError for another kind."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "v_prediction":
        return scheduler.get_velocity(clean, noise, timesteps)
    raise ValueError(
        f"cannot fine-tune a model that predicts {kind!r}; known: epsilon, v_prediction"
    )
