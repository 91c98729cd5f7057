"""A feed-forward immuniser, after DiffVax (Ozden et al. 2026): a protection in one pass.

    x + delta,  delta = linf * tanh(U(x, keep)) * keep

U is trained once, on other photos, against PhotoGuard's encoder loss (Salman et al. 2023):
`python -m impress_bench.benchmark.atelier.train immuniser`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.contract import USUAL_LINF, Budget, Context, PluginError, State
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import place_of
from impress_bench.benchmark.models.inpainting import masked_out
from impress_bench.protections.base import Protection
from impress_bench.protections.objectives.masks import kept_region

if TYPE_CHECKING:
    from impress_bench.benchmark.models.families.pixel_unet import PixelUNet
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Immuniser(Protection):
    """One pass of a trained network: DiffVax's kind of protection. Needs no model.

    It departs from the released code (ozdentarikcan/DiffVax@77fe66a). There the network's answer is
    added as it is, and the `eps` of 32/255 is never read; here a tanh keeps to `linf`, and one
    network serves every bound, which it is given in the place of the mask. There it learns to
    blacken what four steps of inpainting paint, at a price on the perturbation's size; here it
    learns PhotoGuard's encoder loss, without a price. It has 1.9 million parameters, there 9.2.
    Only what the mask keeps moves, as there, and only that is seen; without masks that is
    everything.

    What it reaches is its training encoder's. In the atelier one pattern for all photos does nearly
    as much (`left_shared` on the model card), and other encoders hardly yield.

    Args:
        linf: hard bound; 0 to 1 on [0, 1] pixels. Trained for 2/255 to 16/255.
        weights: a folder with the network in diffusers layout, or "pack:immuniser", which comes
            with the atelier and was trained against its encoder.

    Raises:
        ValueError: for a bound out of range.
    """

    name: ClassVar[str] = "immuniser"
    title: ClassVar[str] = "Immuniser (one pass)"
    files: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(self, *, linf: float = 16 / 255, weights: str = "pack:immuniser") -> None:
        self.budget = Budget(linf=linf)
        self.linf = linf
        self.weights = weights

    def skip(self, subject: str, model: LatentDiffusion | None) -> str | None:
        """Where there are no weights."""
        return pixel_unet.missing(place_of(self.weights), self.name, "immuniser")

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """One pass per image, so that no image depends on its batch."""
        if reason := self.skip("", context.model):
            raise PluginError(self.name, reason, State.SKIPPED)
        device = images.device if context.model is None else context.model.device
        network = pixel_unet.load(place_of(self.weights), device)
        shown, made = images.to(device, torch.float32), []
        kept = kept_region(shown, context)
        with torch.no_grad():
            for i in range(len(shown)):
                made.append(immunised(network, shown[i : i + 1], kept[i : i + 1], self.linf))
                context.progress(i + 1, len(shown))
        return torch.cat(made).to(images)


def immunised(network: PixelUNet, images: Tensor, kept: Tensor, linf: float | Tensor) -> Tensor:
    """`images` (B, 3, H, W) in [0, 1], moved where `kept`, (B, 1, H, W), is 1 by at most `linf`, a
    number or (B, 1, 1, 1); differentiable in the weights of `network`."""
    bound = kept * linf
    shown = torch.cat([2 * masked_out(images, kept) - 1, bound / USUAL_LINF], dim=1)
    delta = bound * torch.tanh(pixel_unet.run(network, shown).float())
    return (images + delta).clamp(0, 1)
