"""Nightshade (Shan et al. 2024, IEEE S&P): an image whose latents are those of another concept.

    min over |delta| <= budget of  || E(x + delta) - E(t) ||

for a picture t that a text-to-image model paints of the other concept. A model that trains on many
such images under the true caption learns the wrong thing by that name.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.prompts import unknown_words
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class PictureState(NamedTuple):
    """The surrogate and the latents of the picture, one row."""

    model: LatentDiffusion
    target: Tensor


class Nightshade(GradientProtection[PictureState]):
    """Draws the latents to those of a painted picture, by PGD in L-infinity.

    Defaults are those of Shawn-Shan/nightshade-release at 28e4ee9, which has [0, 1] pixels: one
    picture for all images, from a fixed seed, by 50 steps of guidance 7.5; unscaled posterior
    means; from the image, a first step as long as the bound. Needs a model, and warns of words that
    it does not know.

    What is left out is what is not the image's own: the release chooses the 100 of more than 500
    images whose caption and picture agree best, and it is meant for models that are trained on the
    concept from scratch. It names no default concept.

    Args:
        prompt: of the picture. The release has "A photo of a " and the concept.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: first length of a step, which shrinks linearly to a hundredth; 0 to 1 on [0, 1]
            pixels.
        steps: steps of PGD; at least 1.
        sampling_steps: steps that the picture is painted in; at least 1.
        guidance_scale: at which it is painted; at least 0, guidance up to 1 is none.
        seed: of the picture; at least 0.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "nightshade"
    title: ClassVar[str] = "Nightshade"

    def __init__(
        self,
        *,
        prompt: str = "A photo of a cat",
        linf: float = 0.04,
        step: float = 0.04,
        steps: int = 500,
        sampling_steps: int = 50,
        guidance_scale: float = 7.5,
        seed: int = 123,
    ) -> None:
        check_range(1, sampling_steps=sampling_steps)
        check_range(0, guidance_scale=guidance_scale, seed=seed)
        self.prompt = prompt
        self.sampling_steps = sampling_steps
        self.guidance_scale = guidance_scale
        self.seed = seed
        self.solver = Pgd(steps, step, linf=linf, decay=True)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> PictureState:
        """The latents of the picture, resized to the images."""
        model = context.require_model(self.name)
        if unknown := unknown_words(model, self.prompt):
            warnings.warn(
                f"nightshade: the model does not know {', '.join(map(repr, unknown))} of the prompt"
                f" {self.prompt!r}; name a concept that it was trained on",
                stacklevel=2,
            )
        painted = model.sample(
            [self.prompt],
            [torch.Generator().manual_seed(self.seed)],
            steps=self.sampling_steps,
            guidance_scale=self.guidance_scale,
        ).clamp(0, 1)
        with torch.no_grad():
            fitted = interpolate(painted, images.shape[-2:], mode="bicubic", antialias=True)
            target = model.encode(fitted.clamp(0, 1).to(images))
        return PictureState(model, target)

    def loss(
        self, state: PictureState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Distance (B,) of the latents of `x` to the picture's."""
        gap = (state.model.encode(x) - state.target).to(x.dtype)
        distance: Tensor = gap.flatten(1).norm(dim=1)
        return distance
