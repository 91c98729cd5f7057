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

    `bilateral` times a bilateral filter of diameter 5 and both sigmas 8, then `guided` times a
    guided filter of radius 4 and eps 16 whose guide is the input. Needs the extra `[opencv]`, and
    is skipped without it. Raises ValueError for negative numbers.
    """

    name: ClassVar[str] = "adverse-cleaner"
    title: ClassVar[str] = "AdverseCleaner"

    def __init__(self, *, bilateral: int = 64, guided: int = 4) -> None:
        if min(bilateral, guided) < 0:
            raise ValueError("bilateral and guided must be at least 0")
        self.bilateral = bilateral
        self.guided = guided

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """Whether OpenCV is there."""
        if find_spec("cv2") is None:
            return "needs OpenCV with contributed modules: pip install 'impress-bench[opencv]'"
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
