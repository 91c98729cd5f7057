"""The interface of latent diffusion models: all that protections, purifiers and tasks use of one.

A family of models (Stable Diffusion 1 and 2, say) is a class of its own under `families/`; nothing
else names one. Images are float (B, 3, H, W) in [0, 1].
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.autoencoder import LatentAutoencoder, noise_like
from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.denoiser import ConditionalDenoiser, Sampler
from impress_bench.benchmark.models.noise_levels import diffusion_snr
from impress_bench.benchmark.models.numerics import Numerics
from impress_bench.benchmark.seeds import Generators, as_generators

Self = TypeVar("Self", bound="LatentDiffusion")


class LatentDiffusion(LatentAutoencoder, ConditionalDenoiser):
    """A latent diffusion model, frozen and in evaluation mode.

    What has a body here is stated on the rest, and a family may replace it by what its library has.
    """

    #: Identifies the weights: results are stored under it.
    digest: str

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side in pixels of the images the model was trained on."""

    @abstractmethod
    def to(self, device: str) -> None:
        """Move the weights."""

    @abstractmethod
    def with_numerics(self: Self, numerics: Numerics) -> Self:
        """This model computing as `numerics` says. May change its networks, so that it is for a
        model that was just loaded."""

    def reconstruct(
        self,
        images: Tensor,
        chain: str = "vae",
        *,
        strength: float = 0.3,
        steps: int = 20,
        generator: Generators | None = None,
    ) -> Tensor:
        """The model's own version of `images`, not clamped, differentiable.

        `chain="vae"` is D(E(x)) of IMPRESS, Eq. 4.1; `chain="ldm"` is f_LDM(x) of its Section 4.1:
        noise up to `strength` of the sampler's schedule, then back without a prompt by that share
        of its `steps`. Raises ValueError for another chain.
        """
        latents = self.encode(images)
        if chain == "vae":
            return self.decode(latents)
        if chain != "ldm":
            raise ValueError(f"unknown chain {chain!r}; known: vae, ldm")
        sampler = self.sampler(steps)
        levels = sampler.levels[steps - max(1, round(steps * strength)) :]
        scaled = self.scale(latents)
        noise = noise_like(scaled, generator)
        noisy = self.noise(scaled, levels[:1].expand(len(scaled)), noise)
        return self.decode(self.unscale(self._denoised(noisy, sampler, levels)))

    def _denoised(self, noisy: Tensor, sampler: Sampler, levels: Tensor) -> Tensor:
        """Scaled latents for `noisy` ones at the first of `levels`, denoised without a prompt."""
        conditioning = self.embed([""]).expand(len(noisy))
        predict = partial(self.predict, conditioning=conditioning)
        for level in levels:
            predicted = self.checkpointed(predict, noisy, level.expand(len(noisy)))
            noisy = sampler.step(predicted, level, noisy)
        return noisy

    @torch.no_grad()
    def redraw(self, images: Tensor, *, taken: int, steps: int, generator: Generators) -> Tensor:
        """`images` noised as a diffusion is at t* = `taken` / `steps` of its schedule, and denoised
        from there in `taken` steps without a prompt, clamped: SDEdit (Meng et al. 2022) as DiffPure
        and GrIDPure count it.

        t* is a place on Stable Diffusion's schedule; on another one noise begins at the level of
        equal signal-to-noise ratio.
        """
        generators = as_generators(generator, len(images))
        scaled = self.scale(self.encode(images, True, generators))
        sampler = self.sampler(taken, self.level_of(diffusion_snr(taken / steps)))
        levels = sampler.levels[:1].expand(len(scaled))
        noisy = self.noise(scaled, levels, noise_like(scaled, generators))
        made = self.decode(self.unscale(self._denoised(noisy, sampler, sampler.levels)))
        return made.to(images.dtype).clamp(0, 1)

    @abstractmethod
    def img2img(
        self,
        images: Tensor,
        prompts: Sequence[str],
        *,
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: Generators,
    ) -> Tensor:
        """`images` redrawn under `prompts`, clamped (SDEdit): noise up to the share `strength` (0
        to 1) of the sampler's `steps`, then back. Guidance up to 1 is none."""

    @abstractmethod
    def sample(
        self,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        steps: int,
        guidance_scale: float,
        sampler: str = "model",
    ) -> Tensor:
        """One image per prompt, of side `image_size`, not clamped; each from its own generator,
        whatever the weights. `sampler` is the "model"'s own or another that the family knows.
        Raises ValueError for one that is not known."""

    @property
    def inpainting_problem(self) -> str:
        """Why the model cannot inpaint, and the way out; empty if it can."""
        return "the model cannot inpaint; name one whose family can"

    @property
    def inpainter(self) -> nn.Module | None:
        """The denoiser of `predict_inpainting`; None if the model cannot inpaint."""
        return None

    @property
    def inpainter_projections(self) -> Sequence[str]:
        """Names of its layers that make queries, keys and values of self-attention and queries of
        cross-attention, as many of each; none if the family names none."""
        return ()

    def predict_inpainting(
        self,
        noisy: Tensor,
        levels: Tensor,
        conditioning: Conditioning,
        mask: Tensor,
        masked: Tensor,
    ) -> Tensor:
        """`predict` of a denoiser that also sees `mask` (B, 1, h, w), 1 where it paints, and scaled
        latents `masked` of the image without that.

        Raises ValueError if the model cannot inpaint.
        """
        raise ValueError(self.inpainting_problem)

    def repaint(
        self,
        images: Tensor,
        keep: Tensor,
        prompts: Sequence[str],
        generator: Generators,
        *,
        steps: int,
        guidance_scale: float,
        eta: float,
    ) -> Tensor:
        """`images` repainted under `prompts` where `keep` (B, H, W) is false.

        The model's raw answer, clamped, the kept part included: nothing is pasted back. Image i has
        noise of its own derived from `generator`, the same whatever the images. `eta` from 0 to 1
        is the share of fresh noise per step. Raises ValueError if the model cannot inpaint.
        """
        raise ValueError(self.inpainting_problem)

    @property
    def editing_problem(self) -> str:
        """Why the model cannot edit images, and the way out; empty if it can."""
        return self.inpainting_problem

    def edit(
        self,
        images: Tensor,
        keep: Tensor,
        prompts: Sequence[str],
        generator: Generators,
        *,
        steps: int,
        guidance_scale: float,
        eta: float,
    ) -> Tensor:
        """`images` edited under `prompts`, clamped: repainted where `keep` (B, H, W) is false or,
        by models that edit by instruction, as a whole. Arguments and noise as `repaint`. Raises
        ValueError if the model cannot edit."""
        return self.repaint(
            images, keep, prompts, generator, steps=steps, guidance_scale=guidance_scale, eta=eta
        )
