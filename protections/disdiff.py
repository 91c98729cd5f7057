"""DisDiff (Liu et al. 2024): ASPL, and attention is led away from the word for the person.

    max over |delta| <= budget of  L_t(x + delta) + weight * (1 - s(x + delta))^2

for a surrogate's denoising error L at a timestep t, and the share s that one word of the prompt has
in the squared cross-attention of that pass. A step is as long as given times (cos(pi t/T) + 1) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, State, check_range
from impress_bench.protections.aspl import Aspl, AsplState
from impress_bench.protections.objectives.levels import COUNT, draw_from, responsive_levels
from impress_bench.protections.objectives.prompt_attention import (
    attending,
    cross_attentions,
    mean_map,
    word_places,
)
from impress_bench.protections.objectives.trained_surrogate import Surrogate
from impress_bench.protections.solvers.paced_pgd import Pace, PacedPgd

#: As released: maps are of a quarter of the latents' side, 16 of 64, and sharpened.
COARSER, SHARPER = 4, 100.0


@dataclass(kw_only=True)
class DisDiffState(AsplState):
    """ASPL's, with each image's levels, cross-attentions and their heads, and which tokens are
    words of the prompt and which are the one whose attention is lowered, (B, tokens)."""

    levels: Sequence[Tensor]
    layers: Mapping[str, int]
    words: Tensor
    chosen: Tensor


class DisDiff(Aspl):
    """ASPL with attention erasure, at a pace that depends on the timestep.

    Defaults are those of riolys/DisDiff at 4e538d6 (attacks/disdiff.py, scripts/disdiff.sh) at 512
    px, halved to [0, 1] pixels, but for `searches`. Needs a model whose denoiser reads the prompt
    by cross-attention, and is skipped without. Maps are those of a quarter of the latents' side, as
    released, and of the coarsest layers where a denoiser has none of that size.

    Departures as in `Aspl`; besides, each image's attention is its own, where the release averages
    maps over the subject's images, and a word of several tokens is all of them, where the release
    takes each word for one token. Behind `+o-pgd` and `+blurguard`, which have steps of their own,
    the pace is theirs.

    Args:
        word: of the prompt, whose attention is lowered; as it stands there, between spaces.
        weight: weight of the attention's term beside the denoising error; at least 0.
        searches: of SimAC's greedy search for timesteps, at most; at least 0, which leaves all. The
            released script runs it, with 50.
        paced: whether a step's length depends on the timestep.
        rounds: see `Aspl`; at least 1.
        moves: steps of PGD per round; at least 1.
        surrogate_steps: steps of training per round and surrogate; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: greatest length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range, and for a word that the prompt does not have.
    """

    name: ClassVar[str] = "disdiff"
    title: ClassVar[str] = "DisDiff"

    def __init__(
        self,
        *,
        word: str = "sks",
        weight: float = 0.1,
        searches: int = 0,
        paced: bool = True,
        rounds: int = 50,
        moves: int = 6,
        surrogate_steps: int = 3,
        surrogate_lr: float = 5e-7,
        batch: int = 1,
        linf: float = 0.025,
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
        check_range(0, weight=weight, searches=searches)
        if word not in prompt.split():
            raise ValueError(f"word must be one of the prompt's, not {word!r} of {prompt!r}")
        self.word = word
        self.weight = weight
        self.searches = searches
        self.linf, self.step = linf, step
        self.pace = Pace() if paced else None
        if self.pace is not None:
            self.solver = PacedPgd(rounds * moves, step, linf=linf, pace=self.pace)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> DisDiffState:
        """The levels, the prompt's tokens, then what ASPL prepares. Raises PluginError, with the
        state `skipped`, for a model without cross-attention."""
        untrained = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        model, layers = untrained.model, cross_attentions(untrained.model)
        if not layers:
            raise PluginError(
                self.name,
                "needs a model whose denoiser reads the prompt by cross-attention",
                State.SKIPPED,
            )
        levels = responsive_levels(
            model,
            images,
            untrained.prompts,
            generators,
            searches=self.searches,
            step=self.step,
            linf=self.linf,
        )
        titles = context.titles if len(context.titles) == len(images) else [""] * len(images)
        prompts = [self.prompt.format(title=title) for title in titles]
        words, chosen = (mask.to(model.device) for mask in word_places(model, prompts, self.word))
        state = super().prepare(images, context, generators)
        return DisDiffState(**vars(state), levels=levels, layers=layers, words=words, chosen=chosen)

    def loss(
        self, state: AsplState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the copy's denoising error, and minus the weighted attention term (B,). Sets the
        pace of the step."""
        assert isinstance(state, DisDiffState)
        levels, opponent = draw_from(state.levels, generators), state.opponent
        if self.pace is not None:
            self.pace.factors = pace_at(levels, opponent.model.even_levels(COUNT)).to(x.dtype)
        with attending(opponent.model, state.layers) as seen:
            denoising = opponent.denoise(x, generators, levels=levels)
        height, width = (-(-side // COARSER) for side in denoising.latents.shape[-2:])
        share = share_of(mean_map(seen, state.layers, height * width), state.words, state.chosen)
        return -(denoising.error.to(x.dtype) + self.weight * (1 - share.to(x.dtype)).square())


def share_of(attention: Tensor, words: Tensor, chosen: Tensor) -> Tensor:
    """The share (B,) that the `chosen` tokens have in the squares of `attention` (B, places,
    tokens), sharpened by a softmax over those that are `words`; both (B, at most tokens)."""
    length = min(attention.shape[-1], words.shape[-1])
    words, chosen = words[:, None, :length], chosen[:, None, :length]
    sharp = (SHARPER * attention[..., :length]).masked_fill(~words, -math.inf).softmax(dim=-1)
    squares = sharp.square()
    return (squares * chosen).sum((1, 2)) / squares.sum((1, 2))


def pace_at(levels: Tensor, known: Tensor) -> Tensor:
    """The factor (B,) of a step at `levels` (B,), each among the `known` ones, cleanest first: from
    1 at the first of them to 0 at the last."""
    places = (levels[:, None] == known[None]).float().argmax(dim=1)
    return (torch.cos(math.pi * places / (len(known) - 1)) + 1) / 2
