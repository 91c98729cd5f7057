"""A learned purifier, in one pass: what the network takes for a protection is subtracted.

LightShed (Foerster et al. 2025) trains a network on pairs of clean images and the same images under
a public protection; it maps an image to the perturbation, and to nothing where there is none. So
the size of what it predicts also detects protections. LightShed's code is not public. Ours is a
small U-Net, trained by `benchmark/atelier/train/recipes/purifier.py` on pairs that this package's
own protections make.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context, PluginError, State
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import place_of

if TYPE_CHECKING:
    from impress_bench.benchmark.models.families.pixel_unet import PixelUNet
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: The network's output of 1, as a change of a value in [0, 1].
SCALE = 1 / 16
#: In the folder of the weights: what they were trained on.
TRAINED_ON = "trained_on.json"


class Learned(Purifier):
    """Subtracts what a network, trained on GLAZE, PhotoGuard, Mist, AdvDM and PID, takes for one.

    It sees the images alone, no surrogate. A protection that it was trained on is another case than
    one that it never saw: leaving one out (`weights=pack:learned-without-glaze`) gives the honest
    row of that one. The weights' folder has what they were trained on, `trained_on.json`. The
    result is clipped to [0, 1].

    Notes for each image the size of what was subtracted, before clipping and on [0, 1] pixels:
    "learned-residual-mean" (of absolute values) and "learned-residual-rms". Large ones tell
    protected from clean images.

    Args:
        weights: a folder with the network in diffusers layout, as the recipe `purifier` writes;
            "pack:learned" and "pack:learned-without-glaze" come with the atelier.
    """

    name: ClassVar[str] = "learned"
    title: ClassVar[str] = "Learned purifier"
    files: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(self, *, weights: str = "pack:learned") -> None:
        self.weights = weights
        self._networks: dict[torch.device, PixelUNet] = {}

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The protections that the weights were trained on."""
        return trained_on(place_of(self.weights))

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """Where there are no weights."""
        return pixel_unet.missing(place_of(self.weights), self.name, "purifier")

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images without what the network takes for a protection, one at a time: convolutions of a
        larger batch round otherwise."""
        if reason := self.skip(context.model):
            raise PluginError(self.name, reason, State.SKIPPED)
        device = images.device if context.model is None else context.model.device
        if device not in self._networks:
            self._networks[device] = pixel_unet.load(place_of(self.weights), device)
        network, shown = self._networks[device], images.to(device, torch.float32)
        added = torch.cat([residual(network, image[None]) for image in shown])
        sizes = added.detach().double().flatten(1)
        context.note("learned-residual-mean", sizes.abs().mean(1).tolist())
        context.note("learned-residual-rms", sizes.square().mean(1).sqrt().tolist())
        return (images - added.to(images)).clamp(0, 1)


def residual(network: PixelUNet, images: Tensor) -> Tensor:
    """What `network` takes for a protection in `images`, both (B, 3, H, W), these in [0, 1]."""
    return SCALE * pixel_unet.run(network, 2 * images - 1)


def trained_on(folder: Path) -> tuple[str, ...]:
    """The protections that the weights in `folder` were trained on, as their card names them."""
    return tuple(json.loads((folder / TRAINED_ON).read_text())["trained_on"])
