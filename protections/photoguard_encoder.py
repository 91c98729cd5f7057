"""PhotoGuard's encoder attack (Salman et al. 2023), Eq. 3.2 of the IMPRESS paper.

    min over |delta| <= budget of  || E(x + delta) - z_target ||^2

The latents of the part of the photo that an editor keeps are drawn to those of an empty image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context
from impress_bench.benchmark.models.inpainting import masked_out
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.masks import kept_region
from impress_bench.protections.objectives.targets import target_images
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class EncoderState(NamedTuple):
    """The surrogate, latents to approach, and what is kept, (B, 1, H, W)."""

    model: LatentDiffusion
    target: Tensor
    kept: Tensor


class PhotoGuardEncoder(GradientProtection[EncoderState]):
    """Draws the latents of the masked photo to a target's, by PGD in L-infinity; Eq. 3.2.

    Defaults are those of the released inpainting notebook, halved to [0, 1] pixels. Only what the
    mask keeps is encoded and moves; without masks that is everything. The budget counts over the
    whole image. Latents are unscaled posterior means. The released loss is the norm and not its
    square, which steps along the gradient's sign cannot tell apart. Needs a model.

    Args:
        target: an image to encode: "grey", "noise" (uniform, each image's own), "pattern" (black
            and white), or the path of one, resized to fit; or "zero", latents of zero, as in the
            released img2img notebook, which also has `step=0.01`.
        linf: hard bound; 0 to 1 on [0, 1] pixels. 0.06 on [-1, 1] as released.
        step: length of a step; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        decay: whether the step shrinks linearly to a hundredth, as in both notebooks.
        random_start: begin uniformly within the bound, or at the photo.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "photoguard-encoder"
    title: ClassVar[str] = "PhotoGuard (encoder)"
    files: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(
        self,
        *,
        target: str = "grey",
        linf: float = 0.03,
        step: float = 0.005,
        steps: int = 1000,
        decay: bool = True,
        random_start: bool = True,
    ) -> None:
        self.target = target
        self.solver = Pgd(steps, step, linf=linf, decay=decay, random_start=random_start)
        self.budget = Budget(linf=linf)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """What the editor keeps: the rest is replaced."""
        return kept_region(images, context)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> EncoderState:
        """The target's latents."""
        model = context.require_model(self.name)
        name = "grey" if self.target == "zero" else self.target
        with torch.no_grad():
            target = model.encode(target_images(self.name, name, images, generators))
        if self.target == "zero":
            target = torch.zeros_like(target)
        return EncoderState(model, target, kept_region(images, context))

    def loss(
        self, state: EncoderState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Squared distance (B,) of the latents of the masked `x` to the target's."""
        latents = state.model.encode(masked_out(x, state.kept))
        return (latents - state.target).to(x.dtype).square().flatten(1).sum(dim=1)
