"""ASPL (Le et al. 2023, Anti-DreamBooth): images and surrogate take turns.

Each round a copy of the surrogate learns the clean images for a while and the images move against
it; then the surrogate itself learns the images as they have become, as a thief's model will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.benchmark.models.posterior import Encoded
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.trained_surrogate import Surrogate
from impress_bench.protections.solvers.pgd import Pgd


@dataclass
class AsplState:
    """The clean images, the surrogate that follows the images, and the copy they move against."""

    clean: Encoded
    follower: Surrogate
    opponent: Surrogate
    generators: Sequence[torch.Generator]
    moved: int = 0


class Aspl(GradientProtection[AsplState]):
    """Alternating surrogate and perturbation learning.

    Defaults are Anti-DreamBooth's at 512 px, halved to [0, 1] pixels. Needs a model. Departures as
    in `Fsmg`; besides, the surrogate keeps its optimiser's moments, where the release makes a new
    optimiser for each turn of training.

    Args:
        rounds: rounds of training a copy, moving the images and training the surrogate; at least 1.
        moves: steps of PGD per round; at least 1.
        surrogate_steps: steps of the copy on the clean images, and of the surrogate on the images
            as they are then, per round; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "aspl"
    title: ClassVar[str] = "ASPL"
    granularity: ClassVar[Literal["image", "subject"]] = "subject"

    def __init__(
        self,
        *,
        rounds: int = 50,
        moves: int = 6,
        surrogate_steps: int = 3,
        surrogate_lr: float = 5e-7,
        batch: int = 1,
        linf: float = 0.025,
        step: float = 0.0025,
        prompt: str = "a photo of sks person",
    ) -> None:
        if min(rounds, moves) < 1:
            raise ValueError(f"rounds and moves must be at least 1, not {rounds} and {moves}")
        check_range(0, surrogate_steps=surrogate_steps, surrogate_lr=surrogate_lr)
        check_range(1, batch=batch)
        self.moves = moves
        self.surrogate_steps = surrogate_steps
        self.surrogate_lr = surrogate_lr
        self.batch = batch
        self.prompt = prompt
        self.solver = Pgd(rounds * moves, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> AsplState:
        """The surrogate, and the first copy to move against."""
        follower = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        clean = follower.encoded(images)
        state = AsplState(clean, follower, follower.copy(), generators)
        self._teach_opponent(state)
        return state

    def loss(
        self, state: AsplState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the copy's denoising error (B,)."""
        return -state.opponent.denoise(x, generators).error.to(x.dtype)

    def update(self, state: AsplState, x: Tensor) -> None:
        """Counts the moves, and ends a round."""
        state.moved += 1
        if state.moved % self.moves == 0:
            self.end_round(state, state.follower.encoded(x))

    def end_round(self, state: AsplState, images: Encoded) -> None:
        """The surrogate learns `images`, and a new copy the clean ones."""
        state.follower.train(images, state.generators, self.surrogate_steps, self.batch)
        state.opponent.restart_from(state.follower)
        self._teach_opponent(state)

    def _teach_opponent(self, state: AsplState) -> None:
        state.opponent.train(state.clean, state.generators, self.surrogate_steps, self.batch)
