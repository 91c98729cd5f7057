"""MetaCloak (Liu et al. 2024): perturbations that hold over training stages and transformations.

A pool of surrogates at different stages of learning the images takes turns; at every step images
are transformed at random first, so that the perturbation survives what a thief does to pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchvision.transforms import functional as transforms

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.trained_surrogate import Surrogate
from impress_bench.protections.solvers.pgd import Pgd

#: Standard deviation of the blur in pixels: torchvision's default for `GaussianBlur`.
SIGMAS = (0.1, 2.0)


@dataclass
class MetaCloakState:
    """The pool as it was made, the surrogate in play, generators, and how far PGD is."""

    pool: list[Surrogate]
    playing: Surrogate
    generators: Sequence[torch.Generator]
    moved: int = 0


class MetaCloak(GradientProtection[MetaCloakState]):
    """Meta-learned perturbations against a pool of surrogates, under random transformations.

    Parameters, by default the released ones at 512 px on [0, 1] pixels:

    - `trials`: how often the whole pool is gone through. `stages`: surrogates in the pool, taken
      `stage_steps` steps of fine-tuning apart, the first untrained.
    - `visits`: turns of each, of `moves` steps of PGD and then `surrogate_steps` of fine-tuning on
      the images as they are; a surrogate starts every trial anew.
    - `surrogate_lr`, `batch`; `linf`, `step`; `prompt`, "{title}" being the image's own.

    Transformations: Gaussian blur (7 pixels), mirroring, a crop of at least half the area, each
    drawn an image; one sample a step. Departures as in `Fsmg`. Raises ValueError for parameters out
    of range.
    """

    name: ClassVar[str] = "metacloak"
    title: ClassVar[str] = "MetaCloak"
    granularity: ClassVar[Literal["image", "subject"]] = "subject"

    def __init__(
        self,
        *,
        trials: int = 4,
        stages: int = 6,
        stage_steps: int = 200,
        visits: int = 100,
        moves: int = 6,
        surrogate_steps: int = 2,
        surrogate_lr: float = 5e-7,
        batch: int = 1,
        linf: float = 11 / 255,
        step: float = 1.1 / 255,
        prompt: str = "a photo of sks person",
    ) -> None:
        if min(trials, stages, visits, moves) < 1:
            raise ValueError("trials, stages, visits and moves must be at least 1")
        self.stages = stages
        self.stage_steps = stage_steps
        self.visits = visits
        self.moves = moves
        self.surrogate_steps = surrogate_steps
        self.surrogate_lr = surrogate_lr
        self.batch = batch
        self.prompt = prompt
        self.solver = Pgd(trials * stages * visits * moves, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> MetaCloakState:
        """The pool: one fine-tuning on the clean images, looked at from time to time."""
        learner = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        pool, encoded = [learner.copy()], learner.encoded(images)
        for _ in range(self.stages - 1):
            learner.train(encoded, generators, self.stage_steps, self.batch)
            pool.append(learner.copy())
        return MetaCloakState(pool, pool[0].copy(), generators)

    def loss(
        self, state: MetaCloakState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the denoising error (B,) of the surrogate in play, on transformed images."""
        shown = transformed(x, generators[0])
        return -state.playing.denoise(shown, generators).error.to(x.dtype)

    def update(self, state: MetaCloakState, x: Tensor) -> None:
        """After each turn the surrogate learns the images; after its visits the next one plays."""
        state.moved += 1
        if state.moved % self.moves:
            return
        images = state.playing.encoded(x)
        state.playing.train(images, state.generators, self.surrogate_steps, self.batch)
        turns = state.moved // self.moves
        if turns % self.visits == 0:
            state.playing.restart_from(state.pool[turns // self.visits % self.stages])


def transformed(images: Tensor, generator: torch.Generator) -> Tensor:
    """`images` (B, 3, H, W) in [0, 1] blurred and, by chance, mirrored, all alike."""
    spread, mirror = torch.rand(2, generator=generator).tolist()
    low, high = SIGMAS
    blurred: Tensor = transforms.gaussian_blur(images, [7, 7], [low + (high - low) * spread])
    return blurred.flip(-1) if mirror < 0.5 else blurred
