"""MetaCloak (Liu et al. 2024): perturbations that hold over training stages and transformations.

Surrogates from different stages of fine-tuning on the images are attacked in turn; at every step
images are transformed at random first, so that the perturbation survives what happens to pictures
before a model is trained on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchvision.transforms import functional as transforms

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.trained_surrogate import Surrogate
from impress_bench.protections.solvers.pgd import Pgd

#: Standard deviation of the blur in pixels: torchvision's default for `GaussianBlur`.
SIGMAS = (0.1, 2.0)


@dataclass
class MetaCloakState:
    """The pool, the surrogate under attack, generators, and the number of steps taken."""

    pool: list[Surrogate]
    playing: Surrogate
    generators: Sequence[torch.Generator]
    moved: int = 0


class MetaCloak(GradientProtection[MetaCloakState]):
    """Meta-learned perturbations against a pool of surrogates, under random transformations.

    Defaults are the released ones at 512 px on [0, 1] pixels. At each step images are blurred (a
    Gaussian of 7 pixels, its deviation uniform in [0.1, 2] pixels) and, half of the time, mirrored;
    one draw per step for all images, as released. The released centre crop leaves square images as
    they are and is left out. Needs a model. Departures as in `Aspl`.

    Args:
        trials: how often the whole pool is gone through; at least 1.
        stages: surrogates in the pool, the first untrained; at least 1.
        stage_steps: steps of fine-tuning between two stages; at least 0.
        visits: turns of each surrogate per trial, which it begins anew; at least 1.
        moves: steps of PGD per turn; at least 1.
        surrogate_steps: steps of fine-tuning on the images as they are, per turn; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
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
        check_range(
            0, surrogate_steps=surrogate_steps, stage_steps=stage_steps, surrogate_lr=surrogate_lr
        )
        check_range(1, batch=batch)
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
        """The pool: snapshots of one fine-tuning on the clean images."""
        learner = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        pool, encoded = [learner.copy()], learner.encoded(images)
        for _ in range(self.stages - 1):
            learner.train(encoded, generators, self.stage_steps, self.batch)
            pool.append(learner.copy())
        return MetaCloakState(pool, pool[0].copy(), generators)

    def loss(
        self, state: MetaCloakState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the denoising error (B,) of the surrogate under attack, on transformed images."""
        shown = transformed(x, generators[0])
        return -state.playing.denoise(shown, generators).error.to(x.dtype)

    def update(self, state: MetaCloakState, x: Tensor) -> None:
        """After each turn the surrogate is trained on the images; after its visits the next one
        follows."""
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
