"""SimAC (Wang et al. 2024, CVPR): ASPL at the timesteps where an image responds.

    max over |delta| <= budget of  L_t(x + delta) [+ || F_t(x + delta) - F_t(x_0) ||^2]

for a surrogate's denoising error L at a timestep t from a list of the image's own, and features F
of the last blocks of its U-Net, where x_0 is the image at the start of a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, State, check_range
from impress_bench.benchmark.models.posterior import Encoded
from impress_bench.benchmark.seeds import randn_per_image
from impress_bench.protections.aspl import Aspl, AsplState
from impress_bench.protections.objectives.capture import captured
from impress_bench.protections.objectives.denoising import denoise_latents
from impress_bench.protections.objectives.levels import draw_from, responsive_levels
from impress_bench.protections.objectives.trained_surrogate import Surrogate


@dataclass(kw_only=True)
class SimacState(AsplState):
    """ASPL's, with each image's levels, and the images at the start of the round."""

    levels: Sequence[Tensor]
    start: Encoded


class SimAC(Aspl):
    """ASPL at chosen timesteps.

    Defaults are those of somuchtome/SimAC at 2de1aa8 (attacks/time_feature.py) at 512 px, halved to
    [0, 1] pixels. Before the rounds a greedy search on the untrained surrogate leaves each image
    about a tenth of the timesteps, see `objectives.levels`. Needs a model. Departures as in `Aspl`;
    besides, an image of which `searches` leave more than 100 timesteps keeps those, where the
    release gives it none and mixes up those of the others.

    Args:
        source: "released" raises the denoising error alone: the released code adds the distance of
            features as a number without a gradient. "paper" gives it one, with the weight 1 of the
            release; that needs a second pass through the surrogate, of the images at the start of
            the round, and a model that names such layers.
        searches: of the greedy search, at most; at least 0, which leaves all timesteps.
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

    name: ClassVar[str] = "simac"
    title: ClassVar[str] = "SimAC"

    def __init__(
        self,
        *,
        source: Literal["released", "paper"] = "released",
        searches: int = 50,
        rounds: int = 50,
        moves: int = 6,
        surrogate_steps: int = 3,
        surrogate_lr: float = 5e-7,
        batch: int = 1,
        linf: float = 8 / 255,
        step: float = 0.0025,
        prompt: str = "a photo of sks person",
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
        if source not in ("released", "paper"):
            raise ValueError(f"source must be 'released' or 'paper', not {source!r}")
        check_range(0, searches=searches)
        self.source = source
        self.searches = searches
        self.linf, self.step = linf, step

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> SimacState:
        """The levels, then what ASPL prepares. Raises PluginError, with the state `skipped`, if the
        paper's features are asked of a model that names no layers for them."""
        untrained = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        if self.source == "paper" and not untrained.model.feature_layers:
            raise PluginError(
                self.name,
                "source=paper needs a model that names feature_layers; source=released does not",
                State.SKIPPED,
            )
        levels = responsive_levels(
            untrained.model,
            images,
            untrained.prompts,
            generators,
            searches=self.searches,
            step=self.step,
            linf=self.linf,
        )
        state = super().prepare(images, context, generators)
        return SimacState(**vars(state), levels=levels, start=state.clean)

    def loss(
        self, state: AsplState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the copy's denoising error, and minus the distance of features (B,)."""
        assert isinstance(state, SimacState)
        levels, opponent = draw_from(state.levels, generators), state.opponent
        if self.source == "released":
            return -opponent.denoise(x, generators, levels=levels).error.to(x.dtype)
        model = opponent.model
        latents = model.scale(model.encode(x, True, generators))
        noise = randn_per_image(generators, latents)
        with captured(model.denoiser, model.feature_layers) as seen:
            moved = denoise_latents(
                model, latents, opponent.prompts, generators, levels=levels, noise=noise
            )
            features = [seen[layer] for layer in model.feature_layers]
            with torch.no_grad():
                begun = state.start.at(torch.arange(len(x)))
                start = model.scale(begun.sample(generators))
                denoise_latents(
                    model, start, opponent.prompts, generators, levels=levels, noise=noise
                )
            squares = [
                (feature - seen[layer]).to(x.dtype).square().flatten(1)
                for feature, layer in zip(features, model.feature_layers, strict=True)
            ]
        return -moved.error.to(x.dtype) - torch.cat(squares, dim=1).mean(dim=1)

    def end_round(self, state: AsplState, images: Encoded) -> None:
        """As in ASPL; the next round begins at `images`."""
        assert isinstance(state, SimacState)
        super().end_round(state, images)
        state.start = images
