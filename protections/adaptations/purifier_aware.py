"""A protection that expects a purifier: its objective is pursued through what that will do.

    min over delta of  E over P's noise of  L(P(x + delta))

Expectation over transformation (Athalye et al. 2018) where the purifier draws noise, and the
straight-through gradient (BPDA, in the same paper) where it has none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context
from impress_bench.protections.adaptations.base import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Purifies(Protocol):
    """What is needed of a purifier; protections do not import them."""

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Purified images for (B, 3, H, W) in [0, 1]."""
        ...


class PurifierAware(Adaptation):
    """Looks at the images through a purifier: `glaze+purifier[expects=jpeg]`.

    Images are purified one at a time, so that none depends on its neighbours.

    Args:
        expects: a purifier with its parameters, as anywhere: "impress[steps=10]". It works on the
            protection's surrogate, not on its own.
        mode: "straight-through" takes the purified images for the images and lets gradients pass as
            if nothing had happened; "through" asks for gradients of the purifier itself, which
            noise, resizing and `impress-unrolled` have and JPEG has not.
        samples: draws of the purifier's noise averaged at each step; at least 1.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "purifier"
    injects: ClassVar[Mapping[str, str]] = {"expects": "purifiers"}

    def __init__(
        self,
        *,
        expects: Any = "impress",
        mode: Literal["straight-through", "through"] = "straight-through",
        samples: int = 1,
    ) -> None:
        if mode not in ("straight-through", "through"):
            raise ValueError(f"mode must be 'straight-through' or 'through', not {mode!r}")
        if samples < 1:
            raise ValueError(f"samples must be at least 1, not {samples}")
        self.expects: Purifies = expects
        self.mode = mode
        self.samples = samples

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` seen through the purifier."""
        return PurifierAwareProtection(base, self)


class PurifierAwareState(NamedTuple):
    """The base's state and what a purifier is given."""

    base: Any
    model: LatentDiffusion | None


class PurifierAwareProtection(Adapted):
    """A protection whose images are purified before its objective sees them."""

    def __init__(self, base: GradientProtection[Any], adaptation: PurifierAware) -> None:
        super().__init__(base, adaptation)
        self.adaptation = adaptation

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> PurifierAwareState:
        """The base's state beside the surrogate."""
        return PurifierAwareState(self.base.prepare(images, context, generators), context.model)

    def loss(
        self, state: PurifierAwareState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """The base's objective (B,) at the purified images, averaged over draws."""
        losses = []
        for _ in range(self.adaptation.samples):
            seen = torch.cat(
                [self._purified(x[i : i + 1], state, generators[i]) for i in range(len(x))]
            )
            losses.append(self.base.loss(state.base, seen, step, generators))
        return torch.stack(losses).mean(dim=0)

    def update(self, state: PurifierAwareState, x: Tensor) -> None:
        """What the base trains on the way, on the images as they are published."""
        self.base.update(state.base, x)

    def _purified(
        self, image: Tensor, state: PurifierAwareState, generator: torch.Generator
    ) -> Tensor:
        context = Context(generator=generator, model=state.model)
        if self.adaptation.mode == "through":
            return self.adaptation.expects.purify(image, context)
        with torch.no_grad():
            purified = self.adaptation.expects.purify(image.detach(), context)
        return image + (purified.to(image) - image).detach()
