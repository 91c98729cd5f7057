"""DiffusionGuard (Choi et al. 2025, ICLR): an editor's first denoising step is driven too far.

    max over |delta| <= budget of  || eps_theta([z_T, mask, E(m * (x + delta))], T, "") ||

for pure noise z_T and a mask m of the kept region, drawn anew at every step: the first step alone
fixes what an inpainting model paints, and an editor's mask is not known in advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, PluginError, State, check_range
from impress_bench.benchmark.models.inpainting import latent_mask, masked_out
from impress_bench.benchmark.seeds import randn_per_image
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.masks import kept_region
from impress_bench.protections.objectives.random_masks import depths, shrunk
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class FirstStepState(NamedTuple):
    """The surrogate, its first level, the empty prompt, and how deep each pixel lies inside of what
    the editor keeps, (B, 1, H, W)."""

    model: LatentDiffusion
    level: Tensor
    prompt: Conditioning
    depth: Tensor


class DiffusionGuard(GradientProtection[FirstStepState]):
    """Raises the norm of the inpainting model's first prediction, under random masks.

    Defaults are those of choi403/DiffusionGuard at 4e61aa2 (config/diffusionguard.yaml) at 512 px,
    halved to [0, 1] pixels. Starts at the photo; only what the mask keeps moves, and in a step only
    what that step's mask keeps. Without masks that is everything, and masks are not drawn. Latents
    are drawn from the posterior. Needs a model with an inpainting U-Net, and is skipped without.
    Departure: a contour recedes by random fields, see `objectives.random_masks.shrunk`, where the
    release moves the points that OpenCV finds on it.

    Args:
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        diffusion_steps: steps of the editor, whose first is attacked; at least 1.
        shrinking: largest offset of a mask's contour as a share of its radius; at least 0, which
            leaves masks as they are.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "diffusion-guard"
    title: ClassVar[str] = "DiffusionGuard"

    def __init__(
        self,
        *,
        linf: float = 8 / 255,
        step: float = 0.5 / 255,
        steps: int = 800,
        diffusion_steps: int = 4,
        shrinking: float = 1.1,
    ) -> None:
        check_range(1, diffusion_steps=diffusion_steps)
        check_range(0, shrinking=shrinking)
        self.diffusion_steps = diffusion_steps
        self.shrinking = shrinking
        self.solver = Pgd(steps, step, linf=linf)
        self.budget = Budget(linf=linf)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """What the editor keeps: the rest is replaced."""
        return kept_region(images, context)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> FirstStepState:
        """The surrogate and the masks. Raises PluginError, with the state `skipped`, if it cannot
        inpaint."""
        model = context.require_model(self.name)
        if problem := model.inpainting_problem:
            raise PluginError(self.name, problem, State.SKIPPED)
        level = model.sampler(self.diffusion_steps).levels[:1]
        return FirstStepState(model, level, model.embed([""]), depths(kept_region(images, context)))

    def loss(
        self, state: FirstStepState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the norm (B,) of the first prediction."""
        model, count = state.model, len(x)
        kept = shrunk(state.depth, self.shrinking, generators)
        masked = model.scale(model.encode(masked_out(x, kept), True, generators))
        predicted = model.predict_inpainting(
            randn_per_image(generators, masked),
            state.level.expand(count),
            state.prompt.expand(count),
            latent_mask(model, kept),
            masked,
        )
        size: Tensor = predicted.to(x.dtype).flatten(1).norm(dim=1)
        return -size
