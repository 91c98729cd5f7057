"""DiffPure (Nie et al. 2022) with the surrogate's own denoiser, in its latent space.

Noise covers a perturbation, and the denoiser restores a likely image: SDEdit (Meng et al. 2022)
without a prompt.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.attacks.redrawing import Redrawing
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.seeds import per_image_generators


class DiffPure(Purifier):
    """Noise up to t*, then denoising back to 0 without a prompt.

    Departures: latents instead of pixels, since the surrogate is a latent diffusion model, so that
    the images also pass through its autoencoder; DDIM instead of ancestral sampling. Needs a model.

    Args:
        strength: t* as a share of the schedule; above 0, at most 1. The paper has 0.1 to 0.15 for
            CIFAR-10 and ImageNet and 0.5 for CelebA-HQ.
        steps: steps of the whole schedule, of which the share `strength` is taken; at least 1 /
            strength.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "diffpure"
    title: ClassVar[str] = "DiffPure"

    def __init__(self, *, strength: float = 0.15, steps: int = 100) -> None:
        self.redraw = Redrawing(strength, steps)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images noised and denoised."""
        model = context.require_model(self.name)
        return self.redraw(images, model, per_image_generators(context.generator, len(images)))
