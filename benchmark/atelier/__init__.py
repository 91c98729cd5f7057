"""The embedded world: procedural painters, and a latent diffusion model trained on them.

It is a miniature. A 4-pixel latent cell carries 12 values a latent channel against Stable
Diffusion's 48, so effect sizes do not transfer: the atelier shows directions and orders.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.models.digest import folder_digest

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: The weights, in diffusers layout: `model_index.json`, `vae`, `unet`, `text_encoder`, …
PACK = Path(__file__).parent / "pack"
#: Another model of the same paintings, without what judges or inpaints: a surrogate for transfer.
SECOND_PACK = Path(__file__).parent / "second_pack"
#: In a pack: the encoder as it was before its calibration.
UNCALIBRATED = Path("uncalibrated") / "encoder.safetensors"


class _Embedded:
    """A registered model. Its digest is known without loading it, or torch."""

    def __init__(self, pack: Path, *, calibrated: bool = True) -> None:
        self._pack = pack
        self._calibrated = calibrated

    def __call__(self) -> LatentDiffusion:
        """The embedded latent diffusion model."""
        model = self._load()
        if self._calibrated:
            return model
        from safetensors.torch import load_file

        model.autoencoder.load_state_dict(load_file(self._pack / UNCALIBRATED), strict=False)
        return model

    def _load(self) -> LatentDiffusion:
        """The model in the pack, by its family."""
        from impress_bench.benchmark.models.families.stable_diffusion.loading import load

        return load(self._pack, self.digest())

    def digest(self) -> str:
        """SHA-256 over the pack, and over which of its encoders is used."""
        digest = folder_digest(self._pack)
        if self._calibrated:
            return digest
        return hashlib.sha256(f"{digest} uncalibrated".encode()).hexdigest()


load_atelier = _Embedded(PACK)
load_second = _Embedded(SECOND_PACK)
#: The first model with its encoder as trained, which bounded perturbations hardly move.
load_uncalibrated = _Embedded(PACK, calibrated=False)
