"""What a protection is: it moves images within a declared budget.

The call is final. It checks input and output, rounds to 8 bits toward the original (what is
published is a PNG), measures how far the published image lies and holds that against the budget. A
subclass writes `perturb`, or for a gradient protection an objective, whose solver is separate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, final

import torch
from torch import Tensor

from impress_bench.benchmark.contract import (
    NORMS,
    Context,
    PluginError,
    Protected,
    ProtectionHooks,
    State,
)
from impress_bench.benchmark.pixels import check_images, round_to_8bit, round_toward
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import BUDGET_NORMS

S = TypeVar("S")


class OverBudget(PluginError):
    """A hard budget was exceeded; `measured` holds the images and every image's distances."""

    def __init__(self, plugin: str, message: str, measured: Protected) -> None:
        super().__init__(plugin, message, State.OVER_BUDGET)
        self.measured = measured


class Protection(ProtectionHooks, ABC):
    """Base of all protections; `budget` may be set on the class or, from parameters, on self."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__call__" in vars(cls):
            raise TypeError(f"{cls.__name__} overrides the final __call__; write perturb instead")

    @abstractmethod
    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """Protected images for 8-bit originals, both (B, 3, H, W) in [0, 1]."""

    @final
    def __call__(self, images: Tensor, context: Context) -> Protected:
        """Protected 8-bit images and how far each lies from its original.

        `images` is float32 or float64 (B, 3, H, W) in [0, 1]. Values off the 8-bit grid are rounded
        to it first: the original is a PNG too, and distances are measured from that. Raises
        PluginError for input or output of a wrong type, shape or range or with values that are not
        finite, or for a missing required result, and OverBudget where an image exceeds a hard norm.
        """
        check_images(self.name, "input", images)
        for name in self.requires():
            if name not in context.results:
                raise PluginError(
                    self.name,
                    f"needs the result of {name!r} on the same images;"
                    f" pass it as Context(results={{{name!r}: …}})",
                )
        originals = round_to_8bit(images)
        perturbed = self.perturb(originals.to(images.dtype), context)
        check_images(self.name, "output", perturbed, like=images)
        with torch.no_grad():
            published = round_toward(perturbed.detach().to(images.device), originals)
            moved = {name: norm(published, originals) for name, norm in BUDGET_NORMS.items()}
            protected = Protected(published, **moved)
        self._check_budget(protected)
        return protected

    def _check_budget(self, protected: Protected) -> None:
        """Raise OverBudget, naming each image and the norms it exceeds."""
        excesses = []
        for i in range(len(protected.images)):
            measured = {norm: float(getattr(protected, norm)[i]) for norm in NORMS}
            for norm, value in self.budget.excess(measured).items():
                excesses.append(f"image {i}: {norm} {value:.4g} > {getattr(self.budget, norm):.4g}")
        if excesses:
            raise OverBudget(self.name, "over budget, " + "; ".join(excesses), protected)


class GradientProtection(Protection, Generic[S]):
    """A protection stated as an objective to be minimised; subclasses set `solver`.

    `granularity` is "image" if each image is optimised alone, and "subject" if a subject's images
    are optimised jointly because they share what `update` trains.
    """

    solver: Solver

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "perturb" in vars(cls):
            raise TypeError(
                f"{cls.__name__} overrides perturb, which a gradient protection leaves to its"
                " solver: adaptations would drop it. Move it into the objective or a solver, or"
                " subclass Protection"
            )

    @abstractmethod
    def prepare(self, images: Tensor, context: Context, generators: Sequence[torch.Generator]) -> S:
        """What stays fixed while solving, such as targets."""

    @abstractmethod
    def loss(self, state: S, x: Tensor, step: int, generators: Sequence[torch.Generator]) -> Tensor:
        """The objective (B,) at `x`, (B, 3, H, W) in [0, 1], differentiable; smaller protects more.

        With granularity "image" entry i depends on image i and `generators[i]` only: solvers
        minimise the sum, and an image's result must not depend on its batch.
        """

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """Where a perturbation may lie: 0 or 1, broadcast over (B, 3, H, W); everywhere by default.
        Budgets count over the whole image all the same."""
        return torch.ones((), dtype=images.dtype, device=images.device)

    def update(self, state: S, x: Tensor) -> None:
        """Called after each step with the new images, for objectives that train a surrogate."""

    def with_means(self) -> GradientProtection[S]:
        """This protection, or a copy that takes posterior means where `loss` would draw samples:
        for solvers that compare losses across steps."""
        return self

    @final
    def pose(self, images: Tensor, context: Context) -> Problem[S]:
        """The problem for a solver, on the model's device and in its dtype, at least float32."""
        model = context.require_model(self.name)
        images = images.to(model.device, torch.promote_types(model.dtype, torch.float32))
        generators = per_image_generators(context.generator, len(images))
        state = self.prepare(images, context, generators)
        return Problem(images, generators, state, self.movable(images, context))

    @final
    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """The solver's images."""
        return self.solver.solve(self, images, context)


class Problem(NamedTuple, Generic[S]):
    """Clean images (B, 3, H, W), one generator per image, the objective's state, and where a
    perturbation may lie."""

    images: Tensor
    generators: list[torch.Generator]
    state: S
    movable: Tensor


class Solver(ABC):
    """Minimises an objective over perturbations.

    `solve` gets a `Problem` from `objective.pose(images, context)`, descends the sum of
    `objective.loss(state, x, step, generators)` where `movable` is 1, and calls
    `objective.update(state, x)` and `context.progress(done, total)` after each step. It keeps the
    budget by itself. Random numbers come from `generators`, one per image, by
    `seeds.rand_per_image` and `seeds.randn_per_image`.
    """

    @abstractmethod
    def solve(self, objective: GradientProtection[Any], images: Tensor, context: Context) -> Tensor:
        """Protected images for `images`, both (B, 3, H, W) in [0, 1]."""

    def penalty(self, images: Tensor) -> Callable[[Tensor], Tensor]:
        """What this solver adds to the objective, such as a soft budget: a function of the
        perturbed `images` (B, 3, H, W) that returns (B,)."""
        return lambda x: x.new_zeros(len(x))
