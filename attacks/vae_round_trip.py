"""One pass through the surrogate's autoencoder: IMPRESS's consistency without its optimisation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context


class VaeRoundTrip(Purifier):
    """Replaces each image by the reconstruction D(E(x)) from its posterior mode, clipped to [0, 1].

    A control for IMPRESS, whose optimum is a fixed point of this map near the protected image. Not
    in the paper. Needs a model.
    """

    name: ClassVar[str] = "vae-round-trip"
    title: ClassVar[str] = "VAE round trip"

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Reconstructions."""
        model = context.require_model(self.name)
        with torch.no_grad():
            decoded = model.reconstruct(images)
        return decoded.to(images).clamp(0, 1)
