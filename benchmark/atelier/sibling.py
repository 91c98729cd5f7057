"""The embedded sibling: another denoiser behind the first model's autoencoder.

As Stable Diffusion 2.1 is to 1.5: a perturbation made on the one meets the same encoder in the
other. A module of its own, so that it is no part of what the other models consist of.
"""

from __future__ import annotations

from pathlib import Path

from impress_bench.benchmark.atelier import _Embedded

#: The weights, in diffusers layout; `vae` is a copy of the first pack's.
SIBLING_PACK = Path(__file__).parent / "sibling_pack"

load_sibling = _Embedded(SIBLING_PACK)
