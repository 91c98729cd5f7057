"""A U-Net that a protection trains on the images while it protects them.

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
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


def _all(name: str) -> bool:
    """Every weight."""
    return True


def cross_attention_kv(name: str) -> bool:
    """Keys and values of cross-attention, which read the prompt."""
    return "attn2.to_k" in name or "attn2.to_v" in name


def attention(name: str) -> bool:
    """All projections of attention, where LoRA is usually put."""
    return ".attn" in name and ".to_" in name


class Surrogate:
    """A U-Net with one prompt per image: the model's own until it is trained, then a copy.

    `trains` selects by name which weights are trained; the optimiser is AdamW with torch's defaults
    but for `lr`. VAE and text encoder stay as they are, where Anti-DreamBooth also trains the
    latter.
    """

    def __init__(
        self,
        model: LatentDiffusion,
        prompts: Tensor,
        lr: float,
        trains: Callable[[str], bool] = _all,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.lr = lr
        self.trains = trains
        self.unet = model.pipeline.unet
        self._optimiser: torch.optim.AdamW | None = None

    @classmethod
    def of(
        cls,
        plugin: str,
        context: Context,
        prompt: str,
        images: Tensor,
        lr: float,
        trains: Callable[[str], bool] = _all,
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
        other.unet = self.unet if self._optimiser is None else copy.deepcopy(self.unet)
        return other

    def restart_from(self, other: Surrogate) -> None:
        """Becomes a copy of `other` in its own memory: allocating a U-Net and two moments of each
        weight is slow on a CPU and costs memory on a GPU."""
        if self._optimiser is None:
            self.unet = other.copy().unet
            return
        self.unet.load_state_dict(other.unet.state_dict())
        for seen in self._optimiser.state.values():
            for value in seen.values():
                value.zero_()

    def encoded(self, images: Tensor) -> Encoded:
        """`images` (B, 3, H, W) to train on, encoded once."""
        return Encoded(self.model, images)

    def denoise(
        self, x: Tensor, generators: Sequence[torch.Generator], sample: bool = True
    ) -> Denoising:
        """One draw per image of `x` (B, 3, H, W), each under its prompt; of posterior means
        without `sample`."""
        return denoise(self.model, x, self.prompts, generators, unet=self.unet, sample=sample)

    def train(
        self, images: Encoded, generators: Sequence[torch.Generator], steps: int, batch: int
    ) -> None:
        """`steps` steps of the usual fine-tuning on `images`, `batch` of them at a time."""
        if self._optimiser is None:
            self.unet = copy.deepcopy(self.unet)
            learned = [p for name, p in self.unet.named_parameters() if self.trains(name)]
            self._optimiser = torch.optim.AdamW(learned, lr=self.lr, fused=True)
        (group,) = self._optimiser.param_groups
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        for _ in range(steps):
            index = torch.randperm(len(images), generator=generators[0])[:batch]
            chosen = [generators[i] for i in index.tolist()]
            latents = images.at(index).sample(chosen) * self.model.latent_scale
            with torch.enable_grad():
                seen = denoise_latents(
                    self.model, latents, self.prompts[index], chosen, unet=self.unet
                )
                seen.error.mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0, foreach=True)
            self._optimiser.step()
            # At once: they would only be in the way of the next step, or of the images' moves.
            self._optimiser.zero_grad(set_to_none=True)
        for parameter in group["params"]:
            parameter.requires_grad_(False)
