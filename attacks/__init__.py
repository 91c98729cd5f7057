"""Purifiers: attempts to remove a protection, seeing only the protected images.

Names load on first use, so that importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.attacks.base import Purifier
    from impress_bench.attacks.gaussian_noise import GaussianNoise
    from impress_bench.attacks.impress import Impress
    from impress_bench.attacks.jpeg import Jpeg
    from impress_bench.attacks.none import NoPurifier
    from impress_bench.attacks.resize import Resize
    from impress_bench.attacks.vae_round_trip import VaeRoundTrip

_HOMES = {
    "GaussianNoise": "impress_bench.attacks.gaussian_noise",
    "Impress": "impress_bench.attacks.impress",
    "Jpeg": "impress_bench.attacks.jpeg",
    "NoPurifier": "impress_bench.attacks.none",
    "Purifier": "impress_bench.attacks.base",
    "Resize": "impress_bench.attacks.resize",
    "VaeRoundTrip": "impress_bench.attacks.vae_round_trip",
}

__all__ = ["GaussianNoise", "Impress", "Jpeg", "NoPurifier", "Purifier", "Resize", "VaeRoundTrip"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
