"""Protections: perturbations that keep diffusion models from exploiting an image.

Names load on first use, so that importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.benchmark.contract import Budget
    from impress_bench.protections.base import GradientProtection, Protection
    from impress_bench.protections.glaze import Glaze
    from impress_bench.protections.identity import Identity
    from impress_bench.protections.photoguard_diffusion import PhotoGuardDiffusion
    from impress_bench.protections.photoguard_encoder import PhotoGuardEncoder
    from impress_bench.protections.random_noise import RandomNoise

_HOMES = {
    "Budget": "impress_bench.benchmark.contract",
    "Glaze": "impress_bench.protections.glaze",
    "GradientProtection": "impress_bench.protections.base",
    "Identity": "impress_bench.protections.identity",
    "PhotoGuardDiffusion": "impress_bench.protections.photoguard_diffusion",
    "PhotoGuardEncoder": "impress_bench.protections.photoguard_encoder",
    "Protection": "impress_bench.protections.base",
    "RandomNoise": "impress_bench.protections.random_noise",
}

__all__ = [
    "Budget",
    "Glaze",
    "GradientProtection",
    "Identity",
    "PhotoGuardDiffusion",
    "PhotoGuardEncoder",
    "Protection",
    "RandomNoise",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
