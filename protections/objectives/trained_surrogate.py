"""A denoiser that a protection trains on the images while it protects them.

Protections against personalised models (Anti-DreamBooth, CAAT, ACE, MetaCloak) raise the denoising
error of a model that was trained on the images, as a mimic's will be.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.posterior import Encoded
from impress_bench.protections.objectives.denoising import Denoising, denoise, denoise_latents

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


#: Which weights of a model's denoiser are trained, by name.
Trains = Callable[["LatentDiffusion", str], bool]


def _all(model: LatentDiffusion, weight: str) -> bool:
    """Every weight."""
    return True


def cross_attention_kv(model: LatentDiffusion, weight: str) -> bool:
    """Keys and values that read the prompt."""
    return model.reads_prompt(weight)


def attention(model: LatentDiffusion, weight: str) -> bool:
    """All projections of attention, where LoRA is usually put."""
    return model.in_attention(weight)


class Surrogate:
    """A model with one prompt per image, whose denoiser is a copy as soon as it is trained.

    `trains` selects by name which weights are trained; the optimiser is AdamW with torch's defaults
    but for `lr`. Autoencoder and text encoders stay as they are, where Anti-DreamBooth also trains
    the latter.
    """

    def __init__(
        self,
        model: LatentDiffusion,
        prompts: Conditioning,
        lr: float,
        trains: Trains = _all,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.lr = lr
        self.trains = trains
        self._optimiser: torch.optim.AdamW | None = None

    @classmethod
    def of(
        cls,
        plugin: str,
        context: Context,
        prompt: str,
        images: Tensor,
        lr: float,
        trains: Trains = _all,
    ) -> Surrogate:
        """One for the context's model, under `prompt`, in which "{title}" stands for each image's
        own.

        Raises PluginError without a model.
        """
        model, count = context.require_model(plugin), len(images)
        titles = context.titles if len(context.titles) == count else [""] * count
        with torch.no_grad():
            prompts = model.embed([prompt.format(title=title) for title in titles])
        return cls(model, prompts, lr, trains)

    def copy(self) -> Surrogate:
        """A copy with the same weights and a new optimiser."""
        other = Surrogate(self.model, self.prompts, self.lr, self.trains)
        if self._optimiser is not None:
            other.model = _with_copy(self.model)
        return other

    def restart_from(self, other: Surrogate) -> None:
        """Becomes a copy of `other` in its own memory: allocating a denoiser and two moments of
        each weight is slow on a CPU and costs memory on a GPU."""
        if self._optimiser is None:
            self.model = other.copy().model
            return
        self.model.denoiser.load_state_dict(other.model.denoiser.state_dict())
        for seen in self._optimiser.state.values():
            for value in seen.values():
                value.zero_()

    def encoded(self, images: Tensor) -> Encoded:
        """`images` (B, 3, H, W) to train on, encoded once."""
        return Encoded(self.model, images)

    def denoise(
        self,
        x: Tensor,
        generators: Sequence[torch.Generator],
        sample: bool = True,
        levels: Tensor | None = None,
    ) -> Denoising:
        """One draw per image of `x` (B, 3, H, W), each under its prompt; of posterior means
        without `sample`, and at `levels` (B,) if they are given."""
        return denoise(self.model, x, self.prompts, generators, sample=sample, levels=levels)

    def train(
        self, images: Encoded, generators: Sequence[torch.Generator], steps: int, batch: int
    ) -> None:
        """`steps` steps of the usual fine-tuning on `images`, `batch` of them at a time."""
        if self._optimiser is None:
            self.model = _with_copy(self.model)
            weights = self.model.denoiser.named_parameters()
            learned = [p for name, p in weights if self.trains(self.model, name)]
            self._optimiser = torch.optim.AdamW(learned, lr=self.lr, fused=True)
        (group,) = self._optimiser.param_groups
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        for _ in range(steps):
            index = torch.randperm(len(images), generator=generators[0])[:batch]
            chosen = [generators[i] for i in index.tolist()]
            latents = self.model.scale(images.at(index).sample(chosen))
            with torch.enable_grad():
                seen = denoise_latents(self.model, latents, self.prompts[index], chosen)
                seen.error.mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0, foreach=True)
            self._optimiser.step()
            # At once: they would only be in the way of the next step, or of the images' moves.
            self._optimiser.zero_grad(set_to_none=True)
        for parameter in group["params"]:
            parameter.requires_grad_(False)


def _with_copy(model: LatentDiffusion) -> LatentDiffusion:
    """`model` with a copy of its denoiser."""
    return model.with_denoiser(copy.deepcopy(model.denoiser))
