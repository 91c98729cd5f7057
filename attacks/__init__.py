"""Purifiers: attempts to remove a protection, seeing only the protected images.

Names load on first use, so that importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.attacks.adverse_cleaner import AdverseCleaner
    from impress_bench.attacks.auto import Auto
    from impress_bench.attacks.base import Purifier
    from impress_bench.attacks.bit_depth import BitDepth
    from impress_bench.attacks.chain import Chain
    from impress_bench.attacks.crop import Crop
    from impress_bench.attacks.diffpure import DiffPure
    from impress_bench.attacks.gaussian_noise import GaussianNoise
    from impress_bench.attacks.gridpure import GridPure
    from impress_bench.attacks.impress import Impress
    from impress_bench.attacks.impress_fast import FastImpress
    from impress_bench.attacks.impress_unrolled import UnrolledImpress
    from impress_bench.attacks.jpeg import Jpeg
    from impress_bench.attacks.learned import Learned
    from impress_bench.attacks.noisy_upscaling import NoisyUpscaling
    from impress_bench.attacks.none import NoPurifier
    from impress_bench.attacks.pdm_pure import PdmPure
    from impress_bench.attacks.resize import Resize
    from impress_bench.attacks.rotation import Rotation
    from impress_bench.attacks.total_variation import TotalVariation
    from impress_bench.attacks.vae_round_trip import VaeRoundTrip
    from impress_bench.benchmark.contract import Context, PluginError

_HOMES = {
    "AdverseCleaner": "impress_bench.attacks.adverse_cleaner",
    "Auto": "impress_bench.attacks.auto",
    "BitDepth": "impress_bench.attacks.bit_depth",
    "Chain": "impress_bench.attacks.chain",
    "Context": "impress_bench.benchmark.contract",
    "Crop": "impress_bench.attacks.crop",
    "DiffPure": "impress_bench.attacks.diffpure",
    "FastImpress": "impress_bench.attacks.impress_fast",
    "GaussianNoise": "impress_bench.attacks.gaussian_noise",
    "GridPure": "impress_bench.attacks.gridpure",
    "Impress": "impress_bench.attacks.impress",
    "Jpeg": "impress_bench.attacks.jpeg",
    "Learned": "impress_bench.attacks.learned",
    "NoPurifier": "impress_bench.attacks.none",
    "NoisyUpscaling": "impress_bench.attacks.noisy_upscaling",
    "PdmPure": "impress_bench.attacks.pdm_pure",
    "PluginError": "impress_bench.benchmark.contract",
    "Purifier": "impress_bench.attacks.base",
    "Resize": "impress_bench.attacks.resize",
    "Rotation": "impress_bench.attacks.rotation",
    "TotalVariation": "impress_bench.attacks.total_variation",
    "UnrolledImpress": "impress_bench.attacks.impress_unrolled",
    "VaeRoundTrip": "impress_bench.attacks.vae_round_trip",
}

__all__ = [
    "AdverseCleaner",
    "Auto",
    "BitDepth",
    "Chain",
    "Context",
    "Crop",
    "DiffPure",
    "FastImpress",
    "GaussianNoise",
    "GridPure",
    "Impress",
    "Jpeg",
    "Learned",
    "NoPurifier",
    "NoisyUpscaling",
    "PdmPure",
    "PluginError",
    "Purifier",
    "Resize",
    "Rotation",
    "TotalVariation",
    "UnrolledImpress",
    "VaeRoundTrip",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
