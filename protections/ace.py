"""ACE (Zheng et al. 2023), which is Mist v2: the predicted noise is drawn to a fixed target.

    ACE:   min || eps_theta(z_t, t, c) - z_target ||^2
    ACE+:  the same + latent_weight * || E(x + delta) - z_target ||^2

with a surrogate that learns the images as they change. Errors of every thief's model then point the
same way, where an untargeted attack scatters them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.targets import target_latents
from impress_bench.protections.objectives.trained_surrogate import Surrogate, attention
from impress_bench.protections.solvers.pgd import Pgd


@dataclass
class AceState:
    """The surrogate, the target's scaled latents, generators, and how far PGD is."""

    surrogate: Surrogate
    target: Tensor
    generators: Sequence[torch.Generator]
    moved: int = 0


class Ace(GradientProtection[AceState]):
    """Targeted attack on the predicted noise, against a surrogate that learns on the way.

    Parameters, by default those of the released `mist-v2`, halved to [0, 1] pixels:

    - `rounds` of `moves` steps of PGD and `surrogate_steps` steps of the surrogate.
    - `latent_weight`: 0 is ACE, 100 ACE+.
    - `target`: see `target_images`; "pattern" stands for the released image.
    - `surrogate_lr`, `batch`; `linf` (the scripts have ten times as much on [-1, 1]), `step`;
      `prompt`, in which "{title}" is the image's own.

    Departures: the surrogate trains the projections of attention themselves, where the release
    trains LoRA of rank 4 in them; no images of the class beside the subject's. Raises ValueError
    for parameters out of range.
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
