"""AdverseCleaner (Zhang 2023): bilateral filters, then guided filters towards the input."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class AdverseCleaner(Purifier):
    """The released filters in OpenCV's contributed modules, values on [0, 255].

    A bilateral filter of diameter 5 and both sigmas 8, then a guided filter of radius 4 and eps 16
    whose guide is the input. Needs the extra `[opencv]`, and is skipped without it.

    Args:
        bilateral: how often the bilateral filter is applied; at least 0.
        guided: how often the guided filter is applied; at least 0.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "adverse-cleaner"
    title: ClassVar[str] = "AdverseCleaner"

    def __init__(self, *, bilateral: int = 64, guided: int = 4) -> None:
        if min(bilateral, guided) < 0:
            raise ValueError("bilateral and guided must be at least 0")
        self.bilateral = bilateral
        self.guided = guided

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """The missing dependency, if OpenCV or its contributed modules are not installed."""
        install = "pip install 'impress-bench[opencv]'"
        if find_spec("cv2") is None:
            return f"needs OpenCV with contributed modules: {install}"
        import cv2

        if not hasattr(cv2, "ximgproc"):
            return (
                "needs OpenCV with contributed modules, and the one installed has none:"
                f" pip uninstall opencv-python opencv-python-headless && {install}"
            )
        return None

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Filtered images."""
        import cv2

        cv2.setNumThreads(torch.get_num_threads())  # what a stage may have; by itself, every core
        cleaned = []
        for image in (255 * images.cpu().float()).permute(0, 2, 3, 1).numpy():
            guide = np.ascontiguousarray(image)
            filtered = guide
            for _ in range(self.bilateral):
                filtered = cv2.bilateralFilter(filtered, 5, 8, 8)
            for _ in range(self.guided):
                filtered = cv2.ximgproc.guidedFilter(guide, filtered, 4, 16)
            cleaned.append(filtered)
        values = torch.from_numpy(np.stack(cleaned)).permute(0, 3, 1, 2) / 255
        return values.to(images).clamp(0, 1)
