"""When `auto` stops: purified images brought as near to the surrogate's image space as its own
autoencoder brings any clean one, and still near the published images.

The rule knows the images, the surrogate and other people's clean paintings: no label, no judge, no
target model, and nothing of the images before they were protected.

Inconsistency is compared with the published image's own: by itself it differs more than tenfold
from one clean painting to another. What decodes protected latents is perfectly consistent, and far
from the published image where these latents were moved far.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.pixels import round_to_8bit, to_tensor
from impress_bench.metrics import lpips_budget

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: LPIPS that is always near: the largest budget that GLAZE's authors offer.
NEAR = 0.1
#: How much further than a VAE round trip moves a clean painting is near too.
ROOM = 1.5
#: Images that go through the networks together.
BATCH = 8
#: Below any inconsistency of an 8-bit image that is not consistent.
TINY = 1e-12


class Findings(NamedTuple):
    """Per image: the share that is left of the published image's inconsistency, and LPIPS to it."""

    left: list[float]
    distances: list[float]


class Clean(NamedTuple):
    """VAE round trips of clean paintings: the least share of inconsistency that is left of one, and
    the median LPIPS that they move."""

    left: float
    distance: float


@dataclass(frozen=True)
class StoppingRule:
    """A subject's images are done if the median share of inconsistency that is left is at most the
    least of clean paintings, and the median LPIPS to the published images at most `NEAR`, or `ROOM`
    times that of clean paintings. A laxer share takes an image for purified that was only blurred,
    which the autoencoder reproduces more easily too."""

    model: LatentDiffusion
    clean: Clean

    @classmethod
    def of(cls, model: LatentDiffusion) -> StoppingRule:
        """The rule for a surrogate, whose figures of clean paintings are kept with its weights."""
        if model.autoencoder not in _MEASURED:
            _MEASURED[model.autoencoder] = measure_clean(model, paintings(model.image_size))
        return cls(model, _MEASURED[model.autoencoder])

    def inconsistency(self, images: Tensor) -> Tensor:
        """Of images (B, 3, H, W) in [0, 1]; (B,)."""
        return inconsistency(self.model, images)

    def findings(self, purified: Tensor, published: Tensor, before: Tensor) -> Findings:
        """What is found in purified images, both (B, 3, H, W) in [0, 1]; `before` (B,) is the
        inconsistency of the published ones."""
        if torch.equal(purified, published):
            return Findings([1.0] * len(purified), [0.0] * len(purified))
        left = self.inconsistency(purified) / before.clamp(min=TINY)
        return Findings(left.tolist(), _lpips(purified, published).tolist())

    def near(self, findings: Findings) -> bool:
        """Whether the images have stayed near the published ones."""
        return median(findings.distances) <= max(NEAR, ROOM * self.clean.distance)

    def satisfied(self, findings: Findings) -> bool:
        """Whether `auto` stops here."""
        return median(findings.left) <= self.clean.left and self.near(findings)


#: By a surrogate's autoencoder, which is frozen.
_MEASURED: WeakKeyDictionary[nn.Module, Clean] = WeakKeyDictionary()


@torch.no_grad()
def inconsistency(model: LatentDiffusion, images: Tensor) -> Tensor:
    """Mean over values of |x - D(E(x))|^2, (B,)."""
    found = []
    for part in _parts(images):
        decoded = model.reconstruct(part).to(part).clamp(0, 1)
        found.append((part - decoded).square().mean((1, 2, 3)))
    return torch.cat(found)


@torch.no_grad()
def measure_clean(model: LatentDiffusion, images: Tensor) -> Clean:
    """The figures of clean images (B, 3, H, W) for a surrogate, in its own precision."""
    images = images.to(model.device)
    with torch.autocast(model.device.type, enabled=False):
        parts = [model.reconstruct(part).to(part).clamp(0, 1) for part in _parts(images)]
        decoded = round_to_8bit(torch.cat(parts)).to(images)
        before = (images - torch.cat(parts)).square().mean((1, 2, 3)).clamp(min=TINY)
        left = inconsistency(model, decoded) / before
        distances = _lpips(decoded, images)
    return Clean(float(left.min()), median(distances.tolist()))


@lru_cache(maxsize=2)
def paintings(side: int) -> Tensor:
    """One painting of each subject by each of the atelier's validation artists, (25, 3, side,
    side): neither trained on nor benchmarked with. Another size than 64 is interpolated."""
    works = [
        world.paint(artist, subject, "heldout", 0).image
        for artist in world.artists("validation")
        for subject in world.SUBJECTS
    ]
    images = torch.cat([to_tensor(work[None]) for work in works])
    if side != images.shape[-1]:
        images = interpolate(images, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
    return round_to_8bit(images)


@torch.no_grad()
def _lpips(images: Tensor, reference: Tensor) -> Tensor:
    pairs = zip(_parts(images), _parts(reference), strict=True)
    return torch.cat([lpips_budget(one, other) for one, other in pairs])


def _parts(images: Tensor) -> list[Tensor]:
    """Images by batches."""
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
