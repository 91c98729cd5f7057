"""When `auto` stops: purified images as consistent as clean ones are, and near the published ones.

The rule knows the images, the surrogate and other people's clean paintings: no label, no judge, no
target model, and nothing of the images before they were protected.
"""

from __future__ import annotations

from collections.abc import Sequence
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

#: The share of clean paintings that count as consistent.
SHARE = 0.9
#: LPIPS that is always near: the largest budget that GLAZE's authors offer.
NEAR = 0.1
#: How much further than a VAE round trip moves a clean painting is near too.
ROOM = 1.5
#: Images that go through the networks together.
BATCH = 8


class Findings(NamedTuple):
    """Per image: its inconsistency, and its LPIPS to the published image."""

    errors: list[float]
    distances: list[float]


class Clean(NamedTuple):
    """Clean paintings in a surrogate's eyes: the inconsistency that `SHARE` of them do not exceed,
    and the median LPIPS between them and their reconstructions."""

    error: float
    distance: float


@dataclass(frozen=True)
class StoppingRule:
    """A subject's images are done if the median of their inconsistencies is at most that of clean
    paintings, and the median LPIPS to the published images at most `NEAR`, or `ROOM` times that of
    a VAE round trip of clean paintings."""

    model: LatentDiffusion
    clean: Clean

    @classmethod
    def of(cls, model: LatentDiffusion) -> StoppingRule:
        """The rule for a surrogate, whose figures of clean paintings are kept with its weights."""
        if model.autoencoder not in _MEASURED:
            _MEASURED[model.autoencoder] = measure_clean(model, paintings(model.image_size))
        return cls(model, _MEASURED[model.autoencoder])

    def findings(self, purified: Tensor, published: Tensor) -> Findings:
        """What is found in purified images, both (B, 3, H, W) in [0, 1]."""
        parts = zip(purified.split(BATCH), published.split(BATCH), strict=True)
        found = [(inconsistency(self.model, made), _lpips(made, before)) for made, before in parts]
        errors, distances = (torch.cat(values).tolist() for values in zip(*found, strict=True))
        return Findings(errors, distances)

    def consistent(self, errors: Sequence[float]) -> bool:
        """Whether inconsistencies are at most those of clean paintings, by their median."""
        return median(errors) <= self.clean.error

    def near(self, distances: Sequence[float]) -> bool:
        """Whether LPIPS to the published images is small, by its median."""
        return median(distances) <= max(NEAR, ROOM * self.clean.distance)

    def satisfied(self, findings: Findings) -> bool:
        """Whether `auto` stops here."""
        return self.consistent(findings.errors) and self.near(findings.distances)


#: By a surrogate's autoencoder, which is frozen.
_MEASURED: WeakKeyDictionary[nn.Module, Clean] = WeakKeyDictionary()


@torch.no_grad()
def inconsistency(model: LatentDiffusion, images: Tensor) -> Tensor:
    """Mean over values of |x - D(E(x))|^2, (B,)."""
    decoded = model.reconstruct(images).to(images).clamp(0, 1)
    return (images - decoded).square().mean((1, 2, 3))


@torch.no_grad()
def measure_clean(model: LatentDiffusion, images: Tensor) -> Clean:
    """The figures of clean images (B, 3, H, W) for a surrogate, in its own precision."""
    errors, distances = [], []
    with torch.autocast(model.device.type, enabled=False):
        for part in images.to(model.device).split(BATCH):
            errors.append(inconsistency(model, part))
            decoded = round_to_8bit(model.reconstruct(part).clamp(0, 1))
            distances.append(_lpips(decoded.to(part), part))
    return Clean(float(torch.cat(errors).quantile(SHARE)), median(torch.cat(distances).tolist()))


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
    """As `lpips_budget`; 0 of equal images without a pass."""
    if torch.equal(images, reference):
        return images.new_zeros(len(images))
    return lpips_budget(images, reference)
