"""Image distances: pure functions `(preds, target) -> (B,)` over images (B, 3, H, W) in [0, 1].

`squared_mmd`, `frechet_distance` and `covered` compare two sets of features and have one value.

Modules and functions share their names, so the functions are bound here once, which is what makes
`from impress_bench.metrics import ssim` always the function. Each imports torch when called, not
before: importing this package is cheap.
"""

from impress_bench.metrics.frechet import frechet_distance
from impress_bench.metrics.l2 import l2
from impress_bench.metrics.linf import linf
from impress_bench.metrics.lpips import lpips, lpips_budget, lpips_to
from impress_bench.metrics.mmd import squared_mmd
from impress_bench.metrics.neighbours import covered
from impress_bench.metrics.psnr import psnr
from impress_bench.metrics.ssim import ssim
from impress_bench.metrics.vif_p import vif_p

#: What budgets bound, by name, each as they state it.
BUDGET_NORMS = {"linf": linf, "l2": l2, "lpips": lpips_budget}

__all__ = [
    "covered",
    "frechet_distance",
    "l2",
    "linf",
    "lpips",
    "lpips_budget",
    "lpips_to",
    "psnr",
    "squared_mmd",
    "ssim",
    "vif_p",
]
