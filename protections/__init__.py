"""Protections: perturbations that keep diffusion models from exploiting an image.

Names load on first use, so that importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.benchmark.contract import Budget, Context, PluginError
    from impress_bench.protections.ace import Ace
    from impress_bench.protections.adaptations.base import Adaptation
    from impress_bench.protections.adaptations.blurguard import BlurGuard
    from impress_bench.protections.adaptations.consistency import Consistency
    from impress_bench.protections.adaptations.o_pgd import OPgd
    from impress_bench.protections.adaptations.purifier_aware import PurifierAware
    from impress_bench.protections.adaptations.surrogates import Surrogates
    from impress_bench.protections.adv_paint import AdvPaint
    from impress_bench.protections.advdm import AdvDM
    from impress_bench.protections.aspl import Aspl
    from impress_bench.protections.base import GradientProtection, Protection, Solver
    from impress_bench.protections.caat import Caat
    from impress_bench.protections.diffusion_guard import DiffusionGuard
    from impress_bench.protections.disdiff import DisDiff
    from impress_bench.protections.fsmg import Fsmg
    from impress_bench.protections.glaze import Glaze
    from impress_bench.protections.identity import Identity
    from impress_bench.protections.immuniser import Immuniser
    from impress_bench.protections.metacloak import MetaCloak
    from impress_bench.protections.mist import Mist
    from impress_bench.protections.nightshade import Nightshade
    from impress_bench.protections.pap import Pap
    from impress_bench.protections.partial import Partial
    from impress_bench.protections.photoguard_diffusion import PhotoGuardDiffusion
    from impress_bench.protections.photoguard_encoder import PhotoGuardEncoder
    from impress_bench.protections.pid import Pid
    from impress_bench.protections.random_noise import RandomNoise
    from impress_bench.protections.sds import Sds
    from impress_bench.protections.simac import SimAC
    from impress_bench.protections.solvers.adam_hinge import AdamHinge
    from impress_bench.protections.solvers.pgd import Pgd
    from impress_bench.protections.style_guard import StyleGuard
    from impress_bench.protections.style_protect import StyleProtect

_HOMES = {
    "Ace": "impress_bench.protections.ace",
    "AdamHinge": "impress_bench.protections.solvers.adam_hinge",
    "Adaptation": "impress_bench.protections.adaptations.base",
    "AdvDM": "impress_bench.protections.advdm",
    "AdvPaint": "impress_bench.protections.adv_paint",
    "Aspl": "impress_bench.protections.aspl",
    "BlurGuard": "impress_bench.protections.adaptations.blurguard",
    "Budget": "impress_bench.benchmark.contract",
    "Caat": "impress_bench.protections.caat",
    "Consistency": "impress_bench.protections.adaptations.consistency",
    "Context": "impress_bench.benchmark.contract",
    "DiffusionGuard": "impress_bench.protections.diffusion_guard",
    "DisDiff": "impress_bench.protections.disdiff",
    "Fsmg": "impress_bench.protections.fsmg",
    "Glaze": "impress_bench.protections.glaze",
    "GradientProtection": "impress_bench.protections.base",
    "Identity": "impress_bench.protections.identity",
    "Immuniser": "impress_bench.protections.immuniser",
    "MetaCloak": "impress_bench.protections.metacloak",
    "Mist": "impress_bench.protections.mist",
    "Nightshade": "impress_bench.protections.nightshade",
    "OPgd": "impress_bench.protections.adaptations.o_pgd",
    "Pap": "impress_bench.protections.pap",
    "Partial": "impress_bench.protections.partial",
    "Pgd": "impress_bench.protections.solvers.pgd",
    "PhotoGuardDiffusion": "impress_bench.protections.photoguard_diffusion",
    "PhotoGuardEncoder": "impress_bench.protections.photoguard_encoder",
    "Pid": "impress_bench.protections.pid",
    "PluginError": "impress_bench.benchmark.contract",
    "Protection": "impress_bench.protections.base",
    "PurifierAware": "impress_bench.protections.adaptations.purifier_aware",
    "RandomNoise": "impress_bench.protections.random_noise",
    "Sds": "impress_bench.protections.sds",
    "SimAC": "impress_bench.protections.simac",
    "Solver": "impress_bench.protections.base",
    "StyleGuard": "impress_bench.protections.style_guard",
    "StyleProtect": "impress_bench.protections.style_protect",
    "Surrogates": "impress_bench.protections.adaptations.surrogates",
}

__all__ = [
    "Ace",
    "AdamHinge",
    "Adaptation",
    "AdvDM",
    "AdvPaint",
    "Aspl",
    "BlurGuard",
    "Budget",
    "Caat",
    "Consistency",
    "Context",
    "DiffusionGuard",
    "DisDiff",
    "Fsmg",
    "Glaze",
    "GradientProtection",
    "Identity",
    "Immuniser",
    "MetaCloak",
    "Mist",
    "Nightshade",
    "OPgd",
    "Pap",
    "Partial",
    "Pgd",
    "PhotoGuardDiffusion",
    "PhotoGuardEncoder",
    "Pid",
    "PluginError",
    "Protection",
    "PurifierAware",
    "RandomNoise",
    "Sds",
    "SimAC",
    "Solver",
    "StyleGuard",
    "StyleProtect",
    "Surrogates",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
