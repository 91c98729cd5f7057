"""The VAE encoder's posterior, cached so that it can be sampled repeatedly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from impress_bench.benchmark.seeds import randn_per_image


class Encoder(Protocol):
    """The part of a `LatentAutoencoder` that encodes."""

    def posterior(self, images: Tensor) -> Posterior: ...


class Posterior(NamedTuple):
    """Mean and standard deviation of unscaled latents, both (B, C, h, w)."""

    mean: Tensor
    std: Tensor

    def sample(self, generators: Sequence[torch.Generator]) -> Tensor:
        """Latents, each image's from its own generator, as `encode` of the model draws them."""
        return self.mean + self.std * randn_per_image(generators, self.mean)


class Encoded:
    """The posteriors of fixed images (B, 3, H, W) in [0, 1], each computed on first use and cached.
    Not differentiable."""

    def __init__(self, model: Encoder, images: Tensor) -> None:
        self._model = model
        self._images = images.detach()
        self._known: dict[int, Posterior] = {}

    def __len__(self) -> int:
        """How many images."""
        return len(self._images)

    def at(self, index: Tensor) -> Posterior:
        """The posterior of the images at `index` (n,)."""
        wanted = index.tolist()
        missing = sorted(set(wanted) - set(self._known))
        if missing:
            with torch.no_grad():
                found = self._model.posterior(self._images[missing])
            for row, i in enumerate(missing):
                self._known[i] = Posterior(found.mean[row], found.std[row])
        known = [self._known[i] for i in wanted]
        return Posterior(torch.stack([k.mean for k in known]), torch.stack([k.std for k in known]))
