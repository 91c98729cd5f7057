"""The embedded rectified flow: a transformer on latents of 16 channels, of the same paintings.

A miniature in Stable Diffusion 3's layout, and not Stable Diffusion 3: a generation that compresses
less than `atelier`. A module of its own, so that it is no part of what the other models consist of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.atelier import UNCALIBRATED, _Embedded
from impress_bench.benchmark.errors import ConfigError

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: The weights: `model_index.json`, `vae`, `transformer`, `text_encoder`, `text_encoder_2`, …
FLOW_PACK = Path(__file__).parent / "flow_pack"


class EmbeddedFlow(_Embedded):
    """A registered model. Raises ConfigError where its weights are not there."""

    def _load(self) -> LatentDiffusion:
        from impress_bench.benchmark.models.families.sd3.loading import load

        return load(self._pack, self.digest())

    def digest(self) -> str:
        needed = [self._pack / "model_index.json"]
        if not self._calibrated:
            needed.append(self._pack / UNCALIBRATED)
        if missing := [path.relative_to(self._pack) for path in needed if not path.exists()]:
            raise ConfigError(
                f"atelier-flow has no {missing[0]} in {self._pack}: its weights are not in this"
                " checkout; train them with `python -m impress_bench.benchmark.atelier.train PART"
                f" --model atelier-flow --pack {self._pack}`, PART being vae, encoder, denoiser"
            )
        return super().digest()


load_flow = EmbeddedFlow(FLOW_PACK)
#: The same with its encoder as trained.
load_flow_uncalibrated = EmbeddedFlow(FLOW_PACK, calibrated=False)
