"""PhotoGuard's diffusion attack (Salman et al. 2023), Eq. 3.3 of the IMPRESS paper.

    min over |delta| <= budget of  || f(x + delta) - x_target ||^2

f is the whole inpainting chain without a prompt, back-propagated through; the target is mid-grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, PluginError, State, check_range
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.masks import kept_region
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class ChainState(NamedTuple):
    """The surrogate and what its editor keeps, bool (B, H, W)."""

    model: LatentDiffusion
    keep: Tensor


class PhotoGuardDiffusion(GradientProtection[ChainState]):
    """Draws whatever the inpainting model paints around the photo to mid-grey; Eq. 3.3.

    Defaults are those of the IMPRESS experiment at 512 px, on [0, 1] pixels. Only what the mask
    keeps moves; without masks that is everything, and nothing is repainted. The budget counts over
    the whole image. Needs a model with an inpainting U-Net, and is skipped without.

    The released code adds ten times the norm of x - f(x) to this loss without saying so, which
    makes it the adaptive attack of Table 5. Here that is a row of its own: `source="released"` with
    `+consistency[weight=10,chain=inpainting,source=norm]`.

    Args:
        norm: of the bound, "l2" or "linf". The released code also has norm="linf", radius=0.05,
            step=0.003, repeats=5.
        radius: hard bound on [0, 1] pixels; at least 0. In "linf" the largest change, at most 1. In
            "l2" each image's Euclidean norm: 16 on [-1, 1] pixels at 512 px. It grows with the side
            of the image: 1 at 64 px is what 8 is at 512.
        step: length of a step on [0, 1] pixels; at least 0; in "l2" its Euclidean norm.
        steps: steps of PGD; at least 1.
        repeats: gradients averaged per step, each with noise of its own; at least 1.
        diffusion_steps: steps of the chain; at least 1.
        eta: DDIM noise of the chain; 0 to 1, no unit.
        source: "paper" descends the squared norm, "released" the norm.
        checkpointing: run the U-Net again in the backward pass, so that memory hardly grows with
            `diffusion_steps`; costs a third more time and changes nothing else.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "photoguard-diffusion"
    title: ClassVar[str] = "PhotoGuard (diffusion)"

    def __init__(
        self,
        *,
        norm: Literal["l2", "linf"] = "l2",
        radius: float = 8.0,
        step: float = 0.5,
        steps: int = 200,
        repeats: int = 10,
        diffusion_steps: int = 4,
        eta: float = 1.0,
        source: Literal["paper", "released"] = "paper",
        checkpointing: bool = True,
    ) -> None:
        if norm not in ("l2", "linf"):
            raise ValueError(f"norm must be 'l2' or 'linf', not {norm!r}")
        if source not in ("released", "paper"):
            raise ValueError(f"source must be 'released' or 'paper', not {source!r}")
        check_range(1, diffusion_steps=diffusion_steps)
        check_range(0, 1, eta=eta)
        check_range(0, radius=radius)
        self.diffusion_steps = diffusion_steps
        self.eta = eta
        self.source = source
        self.checkpointing = checkpointing
        l2, linf = (radius, None) if norm == "l2" else (None, radius)
        self.solver = Pgd(steps, step, linf, l2, repeats=repeats)
        self.budget = Budget(linf, l2)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """What the editor keeps: the rest is replaced."""
        return kept_region(images, context)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> ChainState:
        """The surrogate. Raises PluginError, with the state `skipped`, if it cannot inpaint."""
        model = context.require_model(self.name)
        if problem := model.inpainting_problem:
            raise PluginError(self.name, problem, State.SKIPPED)
        return ChainState(model, kept_region(images, context)[:, 0] > 0)

    def loss(
        self, state: ChainState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Squared distance (B,) of what is painted around `x` to mid-grey, on [-1, 1] pixels."""
        made = inpainting_chain(
            state.model,
            x,
            state.keep,
            generators,
            steps=self.diffusion_steps,
            eta=self.eta,
            checkpointing=self.checkpointing,
        )
        squares = (2 * made - 1).to(x.dtype).square().flatten(1).sum(dim=1)
        return squares if self.source == "paper" else squares.sqrt()
