"""A protection made on several models at once: its loss is averaged over them.

    L(x) = 1/M * sum over models m of  w_m * L_m(x),   w_1 = 1,   w_m = |grad L_1| / |grad L_m|

Attacks that are to transfer are computed on an ensemble (Liu et al. 2017, arXiv 1611.02770); Dong
et al. 2018 (arXiv 1710.06081) call this form the ensemble in loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, State, check_range
from impress_bench.benchmark.further_models import (
    FurtherModelHooks,
    model_names,
    require_models,
)
from impress_bench.benchmark.seeds import rand_per_image
from impress_bench.protections.adaptations.base import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection


class Surrogates(FurtherModelHooks, Adaptation):
    """Averages a protection's loss over its own surrogate and further models.

    `photoguard-encoder+surrogates[models=atelier-second atelier-flow]` is made on three models. A
    loss is a sum over latents, whose number and scale differ from model to model: of two sums the
    larger one decides the sign of nearly every step, and the cloak would be made on that model
    alone. Each further term is therefore weighted, for each image once and for all, so that its
    gradient is as long as that of the first at the start. A loss's value there is no measure: it is
    zero for objectives that lead away from the clean image, and below zero for those that raise an
    error. Since weights stay as they are, losses of different steps can be compared.

    Every model gets the draws that the base has on its own surrogate: a model of equal weights
    changes nothing. The base's notes are those of its own surrogate. Costs what the base costs,
    times the number of models, and `draws` steps more; memory is that of the largest model's step.
    Adaptations that ask the surrogate themselves, such as `+consistency`, ask the first if they
    follow and each model if they come before.

    Departures: the ensembles above are of classifiers, whose losses are on one scale, and weigh
    them equally, as `balanced=false` does.

    Args:
        models: further models, as `surrogate=` names one: registered names, folders or hub ids,
            with spaces between; a path with spaces in quotes.
        balanced: whether terms are weighted by their gradients, or averaged as they are.
        draws: draws of the base's noise over which the length of a gradient is averaged; at least
            1. They are taken one level of 8 bits off the clean image at most.

    Raises:
        ValueError: for a parameter out of range, no model, or one that is named twice.
    """

    name: ClassVar[str] = "surrogates"
    further_models: ClassVar[tuple[str, ...]] = ("models",)

    def __init__(self, *, models: str, balanced: bool = True, draws: int = 4) -> None:
        check_range(1, draws=draws)
        self.models = model_names(models)
        self.balanced = balanced
        self.draws = draws

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` on all models."""
        return SurrogatesProtection(base, self)


@dataclass
class Part:
    """A further model's share: the base's state on it, one generator per image, and w (B,)."""

    state: Any
    generators: list[torch.Generator]
    weight: Tensor

    def follow(self, generators: Sequence[torch.Generator]) -> None:
        """Draw next what these will."""
        for own, first in zip(self.generators, generators, strict=True):
            own.set_state(first.get_state())


class SurrogatesState(NamedTuple):
    """The base's state on its own surrogate, the generators that it draws from, and the others."""

    first: Any
    generators: Sequence[torch.Generator]
    others: list[Part]


class SurrogatesProtection(Adapted):
    """A protection whose loss is averaged over models."""

    def __init__(self, base: GradientProtection[Any], adaptation: Surrogates) -> None:
        super().__init__(base, adaptation)
        self.adaptation = adaptation
        self.model_names = adaptation.models
        self._subject = ""

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """Passed to the base; the subject decides whether it applies on a further model."""
        self._subject = subject
        super().receive_names(subject, names)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> SurrogatesState:
        """The base's state on every model. Raises PluginError for a model that is not there, and,
        with the state `skipped`, for one on which the base does not apply."""
        models = dict(require_models(self.name, context, self.model_names))
        drawn = {name: _copies(generators) for name in models}
        movable = self.base.movable(images, context)
        first = self.base.prepare(images, context, generators)
        pull, others = self._pull(first, images, movable, generators), []
        for name, model in models.items():
            seen = replace(context, model=model, note=lambda note, values: None)
            try:
                if reason := self.base.skip(self._subject, model):
                    raise PluginError(self.base.name, f"does not apply: {reason}", State.SKIPPED)
                state = self.base.prepare(images, seen, drawn[name])
            except PluginError as error:
                raise PluginError(self.name, f"on {name}: {error}", error.state) from error
            length = self._pull(state, images, movable, generators)
            weight = torch.where((pull > 0) & (length > 0), pull / length, 1.0)
            others.append(Part(state, drawn[name], weight))
        return SurrogatesState(first, generators, others)

    def loss(
        self,
        state: SurrogatesState,
        x: Tensor,
        step: int,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """The weighted mean (B,) of the base's losses."""
        for part in state.others:
            part.follow(generators)
        total = _linear(self.base.loss(state.first, x, step, generators), x)
        for part in state.others:
            own = self.base.loss(part.state, x, step, part.generators)
            total = total + part.weight * _linear(own, x)
        return total / (1 + len(state.others))

    def update(self, state: SurrogatesState, x: Tensor) -> None:
        """The base's update on every model."""
        for part in state.others:
            part.follow(state.generators)
        self.base.update(state.first, x)
        for part in state.others:
            self.base.update(part.state, x)

    def _pull(
        self,
        state: Any,
        images: Tensor,
        movable: Tensor,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """The mean length (B,) of the base's gradient around the clean images; 1 if terms are
        averaged as they are."""
        if not self.adaptation.balanced:
            return images.new_ones(len(images))
        copies, lengths = _copies(generators), []
        for _ in range(self.adaptation.draws):
            with torch.enable_grad():
                off = (2 * rand_per_image(copies, images) - 1) / 255
                x = (images + off * movable).clamp(0, 1).requires_grad_(True)
                losses = self.base.loss(state, x, 0, copies)
                (slope,) = torch.autograd.grad(losses.sum(), x)
            lengths.append((slope * movable).flatten(1).norm(dim=1))
        return torch.stack(lengths).mean(dim=0)


def _copies(generators: Sequence[torch.Generator]) -> list[torch.Generator]:
    """Generators that draw what these will."""
    copies = [torch.Generator(generator.device) for generator in generators]
    for copy, generator in zip(copies, generators, strict=True):
        copy.set_state(generator.get_state())
    return copies


def _linear(losses: Tensor, x: Tensor) -> Tensor:
    """`losses` (B,) and their gradient, but none of what it took to compute them, so that a
    model's activations are gone before the next one runs."""
    if not losses.requires_grad:
        return losses
    (slope,) = torch.autograd.grad(losses.sum(), x)
    along = (slope * x).flatten(1).sum(dim=1)
    return losses.detach() + (along - along.detach())
