"""Fine-tuning of the denoiser on a few captioned images, as style mimicry does.

Follows diffusers' `train_text_to_image`, which the IMPRESS experiments use: only the denoiser
learns, loss on what it is to predict, constant rate, AdamW, gradient norm clipped at 1, and the
averaged weights are kept; levels of noise, target and its weights are those of the family's own
script. With a rank it follows `train_text_to_image_lora`, where adapters of the
denoiser's attention learn in its place. Departures: images are encoded once and latents sampled
from the stored posteriors; no flips, since where the light falls or a seal stands is part of a
style; adapters are averaged as the whole denoiser is; no `accelerate`, since a stage has one device
and the denoiser itself knows its precision.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor

from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.low_rank import add_adapters, merge_adapters
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.unfinished import Unfinished

#: The name of the state that is kept, and a folder for none.
STATE = "fine-tuning"
NOTHING_KEPT = Unfinished()


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
    posterior_means: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    unfinished: Unfinished = NOTHING_KEPT,
) -> LatentDiffusion:
    """A copy of `model` whose denoiser has learned `images` (B, 3, H, W) in [0, 1] under `prompts`.

    `model` itself is not changed; autoencoder and text encoders are shared with the copy. Gradients
    of a batch are accumulated over `microbatch` images at a time, by default all of them. With
    `lora_rank` (at least 1) adapters of that rank learn, and are then merged into the weights of
    the copy, which is a plain network either way. With `posterior_means` every image is learned as
    the mean of its latents, without the encoder's noise, whose scale some protections raise (what
    is drawn stays the same). Training goes on from the state in `unfinished`, if there is one, and
    what is learned is the same to the bit.

    Raises ValueError unless there is one prompt per image, FloatingPointError where the loss stops
    being finite, and ModuleNotFoundError where `peft`, which `lora_rank` needs, is not installed.
    """
    if len(images) != len(prompts) or not len(images):
        raise ValueError(f"{len(images)} images but {len(prompts)} prompts to fine-tune on")
    denoiser = copy.deepcopy(model.denoiser).train().requires_grad_(True)
    if lora_rank is None:
        learning = list(denoiser.parameters())
    else:
        learning = add_adapters(denoiser, model.lora_targets, lora_rank, generator)
    for parameter in learning:  # what learns is float32 at least, whatever the rest is kept in
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.data = parameter.data.float()
    learner = model.with_denoiser(denoiser)
    with torch.no_grad():
        found = [model.posterior(part) for part in images.split(microbatch or len(images))]
        conditioning = model.embed(prompts)
    encoded = Posterior(*(torch.cat(parts) for parts in zip(*found, strict=True)))
    if posterior_means:
        encoded = encoded._replace(std=torch.zeros_like(encoded.std))
    optimizer = torch.optim.AdamW(learning, lr=lr, weight_decay=1e-2, fused=True)
    average = EMAModel(learning, foreach=True)
    training = _Training(learning, optimizer, average, generator)
    for step in range(training.resume(unfinished), steps):
        index = torch.randint(len(images), (batch_size,), generator=generator)
        draw = torch.randn((2, batch_size, *encoded.mean.shape[1:]), generator=generator)
        draw = draw.to(encoded.mean)
        clean = model.scale(encoded.mean[index] + encoded.std[index] * draw[0])
        levels = model.draw_levels([generator] * batch_size)
        noisy = model.noise(clean, levels, draw[1])
        wanted = model.wanted(clean, levels, draw[1])
        weights = model.loss_weights(levels)
        optimizer.zero_grad(set_to_none=True)
        for part in torch.arange(batch_size).split(microbatch or batch_size):
            predicted = learner.predict(noisy[part], levels[part], conditioning[index[part]])
            errors = (predicted - wanted[part]).square().flatten(1).mean(dim=1)
            loss = (weights[part] * errors).mean() * (len(part) / batch_size)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"fine-tuning diverged at step {step} with lr={lr}")
            loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        average.step(learning)
        if unfinished.due or (unfinished.kept and step + 1 == steps):
            unfinished.keep(STATE, training.state(step + 1))
        progress(step + 1, steps)
    average.copy_to(learning)
    if lora_rank is not None:
        merge_adapters(denoiser)
    denoiser.requires_grad_(False).eval()
    return learner


class _Training(NamedTuple):
    """What changes from one step to the next."""

    learning: list[torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: EMAModel
    generator: torch.Generator

    def state(self, step: int) -> dict[str, Any]:
        """All of it before `step`."""
        return {
            "step": step,
            "learning": [parameter.detach() for parameter in self.learning],
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "generator": self.generator.get_state(),
        }

    def resume(self, unfinished: Unfinished) -> int:
        """The step to go on with; 0 where no state is kept."""
        state = unfinished.resume(STATE, self.learning[0].device)
        if state is None:
            return 0
        with torch.no_grad():
            for parameter, value in zip(self.learning, state["learning"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.generator.set_state(state["generator"].cpu())
        return int(state["step"])
