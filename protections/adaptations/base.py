"""Adaptive protections: compositions over any gradient protection, never subclasses of each.

Section 5.4 of the IMPRESS paper asks whether a protection that is designed against the purification
survives it. An adaptation takes a gradient protection and returns another one, so that
`glaze+consistency` or `my-cloak+o-pgd` need no line in `glaze` or `my-cloak`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, PluginHooks, State
from impress_bench.protections.base import GradientProtection, Protection

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Adaptation(PluginHooks, ABC):
    """Base of all adaptations: parameters in `__init__`, and `adapt`."""

    name: ClassVar[str]

    @final
    def __call__(self, base: Protection, label: str) -> GradientProtection[Any]:
        """`base`, adapted.

        `label` is its specification; `context.results[label]` holds its own result if `requires()`
        names it. Raises PluginError, with the state `skipped`, for a protection without an
        objective.
        """
        if not isinstance(base, GradientProtection):
            raise PluginError(
                f"{label}+{self.name}",
                f"{label} is not stated as an objective, so there is nothing to adapt",
                State.SKIPPED,
            )
        return self.adapt(base, label)

    @abstractmethod
    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """The adapted protection."""


class Adapted(GradientProtection[Any]):
    """A gradient protection that delegates everything to `base`; subclasses override what they
    change."""

    name: ClassVar[str] = "adapted"
    granularity: Literal["image", "subject"]  # type: ignore[misc]
    #: Those of the protections in `requires` that it is made of: callers without a registry run
    #: them, by these names.
    required_parts: Mapping[str, Protection] = MappingProxyType({})

    def __init__(self, base: GradientProtection[Any], adaptation: Adaptation) -> None:
        self.base = base
        self.name = f"{base.name}+{adaptation.name}"  # type: ignore[misc]
        self.granularity = base.granularity
        self.budget = base.budget
        self.solver = base.solver

    def requires(self) -> tuple[str, ...]:
        """The base's requirements."""
        return self.base.requires()

    def skip(self, subject: str, model: LatentDiffusion | None) -> str | None:
        """The base's reason."""
        return self.base.skip(subject, model)

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """Passed to the base."""
        self.base.receive_names(subject, names)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> Any:
        """The base's state."""
        return self.base.prepare(images, context, generators)

    def loss(
        self, state: Any, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """The base's objective (B,)."""
        return self.base.loss(state, x, step, generators)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """Where the base may move images."""
        return self.base.movable(images, context)

    def update(self, state: Any, x: Tensor) -> None:
        """The base's update."""
        self.base.update(state, x)

    def with_means(self) -> Adapted:
        """A copy whose base takes posterior means."""
        other = copy.copy(self)
        other.base = self.base.with_means()
        return other
