"""How far a picture was moved, and memory that is not held longer than it is used."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
import torch
from numpy.typing import NDArray

from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import BUDGET_NORMS

#: Of the rows that are compared at a time.
STRIP_PIXELS = 2**20


def measure(changed: NDArray[np.uint8], picture: NDArray[np.uint8]) -> dict[str, float]:
    """L-infinity, L2 and LPIPS of two pictures, uint8 (H, W, 3), on the scale [0, 1]."""
    give_back_memory()
    rows = max(1, STRIP_PIXELS // picture.shape[1])
    strips = [slice(top, top + rows) for top in range(0, len(picture), rows)]
    with torch.no_grad():
        parts = [
            [float(BUDGET_NORMS[norm](_shown(changed[at]), _shown(picture[at]))) for at in strips]
            for norm in ("linf", "l2")
        ]
        lpips = BUDGET_NORMS["lpips"](_shown(changed), _shown(picture))
    return {"linf": max(parts[0]), "l2": float(np.hypot.reduce(parts[1])), "lpips": float(lpips)}


def give_back_memory() -> None:
    """Return what was freed to the system. Its allocator would keep what tiles took, three quarters
    of a gigabyte after those of `impress`, while the whole picture is compared."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
        if trim is not None:
            trim(0)


def _shown(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return to_tensor(pixels[None])
