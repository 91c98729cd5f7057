"""The consistency term of Section 5.4: a protection that stays consistent with its reconstruction.

    min over delta of  L(x + delta) + gamma * || (x + delta) - D(E(x + delta)) ||^2

IMPRESS detects a protection by the difference between an image and its reconstruction. The adaptive
protection keeps that difference small while it pursues its own objective L.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context
from impress_bench.protections.adaptations.base import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.disagreement import CHAINS, Chain, disagreement
from impress_bench.protections.objectives.masks import kept_region

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

Source = Literal["released", "paper", "norm"]
SOURCES = ("released", "paper", "norm")


class Consistency(Adaptation):
    """Adds `weight` times the disagreement with the reconstruction; Section 5.4, Tables 3 to 5.

    The base's hinge, where its solver has one, is no part of the shares. With chain="inpainting"
    base and term draw chains of their own, where the released code has one for both.

    Args:
        weight: gamma; at least 0. The paper sweeps 1, 10, 40, 100, 1000 and takes 40 for Table 4;
            the released `glaze_adapt` has 30. What it means depends on the scale of the base's
            objective, so the share of the term in the total is noted as "consistency-share", for
            each image at the last step: a share of the loss, where `share` is one of gradients.
        share: instead of a weight, the share that the term's gradient has in the sum of both
            gradients' norms, kept at every step; 0 to 1, 1 excluded, None for `weight`. Costs a
            second backward pass.
        chain: what reconstructs. "vae" is D(E(x)); "ldm" adds noising and denoising without a
            prompt; "inpainting" is the whole chain of PhotoGuard's diffusion attack against the
            masked photo, as in the adaptive attack of Table 5.
        source: how the disagreement is measured, on [-1, 1] pixels. "released" is the mean of
            squared differences, as in the released `glaze_adapt`; "paper" their sum, as the
            equation is written; "norm" the Euclidean norm of the differences, which the released
            PhotoGuard attack adds ten times to the norm it descends. A mean hardly counts beside a
            base that sums: take "paper" beside sums of squares and "norm" beside norms.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "consistency"

    def __init__(
        self,
        *,
        weight: float = 40.0,
        share: float | None = None,
        chain: Chain = "vae",
        source: Source = "released",
    ) -> None:
        if not weight >= 0:
            raise ValueError(f"weight must be at least 0, not {weight}")
        if share is not None and not 0 <= share < 1:
            raise ValueError(f"share must be in [0, 1), not {share}")
        if source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, not {source!r}")
        if chain not in CHAINS:
            raise ValueError(f"chain must be one of {', '.join(CHAINS)}, not {chain!r}")
        self.weight = weight
        self.share = share
        self.chain: Chain = chain
        self.source: Source = source

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` with the term."""
        return ConsistencyProtection(base, self)


class ConsistencyState(NamedTuple):
    """The base's state, the surrogate, the kept region (B, 1, H, W), and the context's `note`."""

    base: Any
    model: LatentDiffusion
    kept: Tensor
    note: Callable[[str, Sequence[float]], None]


class ConsistencyProtection(Adapted):
    """A protection with the consistency term."""

    def __init__(self, base: GradientProtection[Any], adaptation: Consistency) -> None:
        super().__init__(base, adaptation)
        self.adaptation = adaptation

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> ConsistencyState:
        """The base's state, and what the term needs."""
        return ConsistencyState(
            self.base.prepare(images, context, generators),
            context.require_model(self.name),
            kept_region(images, context),
            context.note,
        )

    def update(self, state: ConsistencyState, x: Tensor) -> None:
        """The base's update."""
        self.base.update(state.base, x)

    def loss(
        self,
        state: ConsistencyState,
        x: Tensor,
        step: int,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """The base's objective and the weighted term (B,)."""
        adaptation = self.adaptation
        own = self.base.loss(state.base, x, step, generators)
        squares = disagreement(state.model, x, state.kept, generators, adaptation.chain)
        term = _reduced(squares, adaptation.source)
        weight: float | Tensor = adaptation.weight
        if adaptation.share is not None:
            weight = _balancing_weight(own, term, x, adaptation.share)
        added = weight * term
        shares = added / (own.abs() + added).clamp(min=1e-30)
        state.note("consistency-share", shares.detach().tolist())
        return own + added


def _reduced(squares: Tensor, source: Source) -> Tensor:
    """One value (B,) for squared differences (B, D)."""
    if source == "released":
        return squares.mean(dim=1)
    total = squares.sum(dim=1)
    return total if source == "paper" else total.clamp(min=1e-20).sqrt()


def _balancing_weight(own: Tensor, term: Tensor, x: Tensor, share: float) -> Tensor:
    """The weight (B,) at which the term's gradient has `share` of the sum of both norms."""
    slopes = (torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in (own, term))
    ours, its = (torch.linalg.vector_norm(slope.flatten(1), dim=1) for slope in slopes)
    weight: Tensor = share / (1 - share) * ours / its.clamp(min=1e-30)
    return weight
