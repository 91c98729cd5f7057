"""PhotoGuard's diffusion attack (Salman et al. 2023), Eq. 3.3 of the IMPRESS paper.

    min over |delta| <= budget of  || f(x + delta) - x_target ||^2

f is the whole inpainting chain without a prompt, back-propagated through; the target is mid-grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, PluginError, State
from impress_bench.benchmark.models.inpainting import inpainting_chain, inpainting_unet
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

    Parameters, by default those of the IMPRESS experiment at 512 px, on [0, 1] pixels:

    - `norm`, `radius`: the hard bound. In "l2" that of each image's Euclidean norm: 16 on [-1, 1]
      pixels at 512 px; it grows with the side of the image: 1 at 64 px is what 8 is at 512. The
      released code also has norm="linf", radius=0.05, step=0.003, repeats=5.
    - `step`, `steps`: of the descent; in L2 the length of a step (1 on [-1, 1] pixels).
    - `repeats`: gradients averaged a step, each with noise of its own.
    - `diffusion_steps`: of the chain. `eta`: its DDIM noise.
    - `source="paper"`: the squared norm; "released": the norm.
    - `checkpointing`: run the U-Net again on the way back, so that memory hardly grows with
      `diffusion_steps`; costs a third more time and changes nothing else.

    Only what the mask keeps moves; without masks that is everything, and nothing is repainted. The
    budget counts over the whole image. The released code adds ten times the norm of x - f(x) to
    this loss without saying so, which makes it the adaptive attack of Table 5; here that is a row
    of its own, `+consistency[weight=10,chain=inpainting,source=norm]` with `source="released"`.
    Needs a model with an inpainting U-Net. Raises ValueError for parameters out of range.
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
        self.diffusion_steps = diffusion_steps
        self.eta = eta
        self.source = source
        self.checkpointing = checkpointing
        l2, linf = (radius, None) if norm == "l2" else (None, radius)
        self.solver = Pgd(steps, step, linf, l2, repeats=repeats)
        self.budget = Budget(linf, l2)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """What the editor keeps: the rest is thrown away."""
        return kept_region(images, context)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> ChainState:
        """The surrogate, once it is known to be able to inpaint."""
        model = context.require_model(self.name)
        try:
            inpainting_unet(model)
        except ValueError as error:
            raise PluginError(self.name, str(error), State.SKIPPED) from None
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
