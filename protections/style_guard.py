"""StyleGuard (Li et al. 2025, NeurIPS): ASPL, and latents whose statistics are another style's.

    max over |delta| <= budget of
        L(x + delta) + w [ d(s(x + delta), s(x_0)) - d(s(x + delta), s(t)) ]

for a surrogate's denoising error L, and s the mean and variance of each channel of the scaled
latents over all images and places, compared by the sum d of both mean squared differences; x_0 are
the images at the start of a round, and t those of another style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, check_range
from impress_bench.benchmark.models.posterior import Encoded
from impress_bench.protections.aspl import Aspl, AsplState
from impress_bench.protections.objectives.denoising import denoise_latents
from impress_bench.protections.objectives.targets import style_images


@dataclass(kw_only=True)
class StyleGuardState(AsplState):
    """ASPL's, with (mean, variance), 2 times C numbers, at the start of the round and of the other
    style."""

    start: Tensor
    style: Tensor


class StyleGuard(Aspl):
    """ASPL with a term of style.

    Defaults are those of PolyLiYJ/StyleGuard at ccae838 (attacks/styleguard.py) at 512 px, halved
    to [0, 1] pixels; its own argument for the weight is 0, and its scripts have 1. A subject's
    images stand for its batches of four. As released, x_0 are not the originals but the images as
    each round begins, so that a round starts without a way away from them. Needs a model.
    Departures as in `Aspl`; besides, the release averages the images with those that an x4 upscaler
    as a second surrogate gives, which is left out: this is its single-surrogate form.

    Args:
        target: images of another style: a folder of them; or one, as in `PhotoGuardEncoder`, which
            also knows "pattern". The release needs a folder.
        weight: of the term of style, w; at least 0, no unit.
        rounds: see `Aspl`; at least 1.
        moves: steps of PGD per round; at least 1.
        surrogate_steps: steps of training per round and surrogate; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "style-guard"
    title: ClassVar[str] = "StyleGuard"
    files: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(
        self,
        *,
        target: str = "pattern",
        weight: float = 1.0,
        rounds: int = 50,
        moves: int = 6,
        surrogate_steps: int = 3,
        surrogate_lr: float = 5e-7,
        batch: int = 1,
        linf: float = 0.025,
        step: float = 0.0025,
        prompt: str = "an sks painting",
    ) -> None:
        super().__init__(
            rounds=rounds,
            moves=moves,
            surrogate_steps=surrogate_steps,
            surrogate_lr=surrogate_lr,
            batch=batch,
            linf=linf,
            step=step,
            prompt=prompt,
        )
        check_range(0, weight=weight)
        self.target = target
        self.weight = weight

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> StyleGuardState:
        """What ASPL prepares, and both statistics. Raises PluginError for a target that is no
        image."""
        model = context.require_model(self.name)
        shown = style_images(self.name, self.target, images, generators)
        with torch.no_grad():
            others = [generators[i % len(generators)] for i in range(len(shown))]
            style = statistics(model.scale(model.encode(shown, True, others)))
        state = super().prepare(images, context, generators)
        start = _drawn(state, state.clean)
        return StyleGuardState(**vars(state), start=start, style=style)

    def loss(
        self, state: AsplState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the copy's denoising error (B,), and minus the term of style, which is one for all
        images."""
        assert isinstance(state, StyleGuardState)
        model = state.opponent.model
        latents = model.scale(model.encode(x, True, generators))
        found = statistics(latents)
        term = _distance(found, state.start) - _distance(found, state.style)
        seen = denoise_latents(model, latents, state.opponent.prompts, generators)
        return -(seen.error + self.weight * term).to(x.dtype)

    def end_round(self, state: AsplState, images: Encoded) -> None:
        """As in ASPL; the next round begins at the statistics of `images`."""
        assert isinstance(state, StyleGuardState)
        super().end_round(state, images)
        state.start = _drawn(state, images)


def statistics(latents: Tensor) -> Tensor:
    """Mean and variance (2, C) of each channel of `latents` (B, C, h, w)."""
    return torch.stack([latents.mean((0, 2, 3)), latents.var((0, 2, 3))])


def _drawn(state: AsplState, images: Encoded) -> Tensor:
    """The statistics of `images`, their latents drawn."""
    latents = images.at(torch.arange(len(images))).sample(state.generators)
    return statistics(state.follower.model.scale(latents))


def _distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference of the means and that of the variances, added."""
    return (first - second).square().mean(dim=1).sum()
