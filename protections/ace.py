"""ACE (Zheng et al. 2023), also published as Mist v2: pulls the predicted noise to a fixed target.

    ACE:   min || eps_theta(z_t, t, c) - z_target ||^2
    ACE+:  the same + latent_weight * || E(x + delta) - z_target ||^2

with a surrogate that is trained on the images as they change. Errors of every mimic's model then
point in the same direction, where an untargeted attack scatters them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.targets import target_latents
from impress_bench.protections.objectives.trained_surrogate import Surrogate, attention
from impress_bench.protections.solvers.pgd import Pgd


@dataclass
class AceState:
    """The surrogate, the target's scaled latents, generators, and the number of steps taken."""

    surrogate: Surrogate
    target: Tensor
    generators: Sequence[torch.Generator]
    moved: int = 0


class Ace(GradientProtection[AceState]):
    """Targeted attack on the predicted noise, against a surrogate that learns on the way.

    Defaults are those of the released `mist-v2`, halved to [0, 1] pixels. Latents of images and
    target are posterior means in PGD, as released. Needs a model.

    Departures: the surrogate trains the projections of attention themselves, where the release
    trains LoRA of rank 4 in them, and keeps its optimiser's moments, where the release makes a new
    optimiser for each round; no images of the class beside the subject's.

    Args:
        rounds: rounds of moving the images and training the surrogate; at least 1.
        moves: steps of PGD per round; at least 1.
        surrogate_steps: steps of training per round; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        latent_weight: weight of the latents' distance; at least 0: 0 is ACE, 100 ACE+.
        source: how ACE+ counts that distance. "paper" adds it; "released" subtracts it, as the code
            of ACE and of mist-v2 does, which drives latents away from the target (a slip of sign,
            by its looks).
        target: an image, see `target_images`; "pattern" stands for the released one.
        linf: hard bound; 0 to 1 on [0, 1] pixels. The released scripts have 0.04 on [-1, 1], 1.27
            times the default.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "ace"
    title: ClassVar[str] = "ACE"
    files: ClassVar[tuple[str, ...]] = ("target",)
    granularity: ClassVar[Literal["image", "subject"]] = "subject"

    def __init__(
        self,
        *,
        rounds: int = 5,
        moves: int = 30,
        surrogate_steps: int = 10,
        surrogate_lr: float = 1e-4,
        batch: int = 1,
        latent_weight: float = 0.0,
        source: Literal["paper", "released"] = "paper",
        target: str = "pattern",
        linf: float = 4 / 255,
        step: float = 0.0025,
        prompt: str = "a picture",
    ) -> None:
        if source not in ("paper", "released"):
            raise ValueError(f"source must be 'paper' or 'released', not {source!r}")
        if min(rounds, moves) < 1:
            raise ValueError(f"rounds and moves must be at least 1, not {rounds} and {moves}")
        check_range(
            0,
            surrogate_steps=surrogate_steps,
            latent_weight=latent_weight,
            surrogate_lr=surrogate_lr,
        )
        check_range(1, batch=batch)
        self.moves = moves
        self.surrogate_steps = surrogate_steps
        self.surrogate_lr = surrogate_lr
        self.batch = batch
        self.latent_weight = latent_weight if source == "paper" else -latent_weight
        self.target = target
        self.prompt = prompt
        self.solver = Pgd(rounds * moves, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> AceState:
        """The surrogate and the target's latents."""
        surrogate = Surrogate.of(
            self.name, context, self.prompt, images, self.surrogate_lr, attention
        )
        target = target_latents(self.name, self.target, images, surrogate.model, generators)
        return AceState(surrogate, target, generators)

    def loss(
        self, state: AceState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Mean squared distance (B,) of the prediction, and of the latents, to the target."""
        seen = state.surrogate.denoise(x, generators, sample=False)
        loss = (seen.predicted - state.target).square().flatten(1).mean(dim=1)
        if self.latent_weight:
            distance = (seen.latents - state.target).square().flatten(1).mean(dim=1)
            loss = loss + self.latent_weight * distance
        return loss.to(x.dtype)

    def update(self, state: AceState, x: Tensor) -> None:
        """At the end of a round the surrogate learns the images."""
        state.moved += 1
        if state.moved % self.moves == 0:
            images = state.surrogate.encoded(x)
            state.surrogate.train(images, state.generators, self.surrogate_steps, self.batch)
