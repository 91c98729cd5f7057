"""The embedded world: procedural painters, and a latent diffusion model trained on them.

It is a miniature. A 4-pixel latent cell carries 12 values a latent channel against Stable
Diffusion's 48, so effect sizes do not transfer: the atelier shows directions and orders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.models.digest import folder_digest

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: The weights, in diffusers layout: `model_index.json`, `vae`, `unet`, `text_encoder`, …
PACK = Path(__file__).parent / "pack"
#: Another model of the same paintings, without what judges or inpaints: a surrogate for transfer.
SECOND_PACK = Path(__file__).parent / "second_pack"


class _Embedded:
    """A registered model. Its digest is known without loading it, or torch."""

    def __init__(self, pack: Path) -> None:
        self._pack = pack

    def __call__(self) -> LatentDiffusion:
        """The embedded latent diffusion model."""
        from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

        return LatentDiffusion.from_pretrained(self._pack)

    def digest(self) -> str:
        """SHA-256 over the pack."""
        return folder_digest(self._pack)


load_atelier = _Embedded(PACK)
load_second = _Embedded(SECOND_PACK)
