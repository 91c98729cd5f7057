"""What tasks that edit photos share: where photos come from, and how alike two edits are."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder
from impress_bench.benchmark.datasets.photos import AtelierPhotos, Photos
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.benchmark.tasks.base import Range, Strip, Task, TaskSettings
from impress_bench.benchmark.tasks.templates import checked_template
from impress_bench.metrics.psnr import INFO as PSNR
from impress_bench.metrics.ssim import INFO as SSIM
from impress_bench.metrics.vif_p import INFO as VIF_P

GREY = 128
#: Of an edit to the edit of the clean photo.
LIKENESS: tuple[MetricInfo, ...] = (SSIM, replace(PSNR, primary=True), VIF_P)


class PhotoEditingSettings(TaskSettings):
    """Which photos are edited, and as what: `prompt` may name the `{sitter}` and a `{place}` that
    is not the photo's own."""

    split: Literal["test", "validation"] = "test"
    photos: str = Field(
        default="", description="a folder of photos with masks, instead of the atelier's"
    )
    # VIFp needs sides of 41 pixels, the autoencoder multiples of 8.
    resolution: int = Field(
        default=512, ge=48, multiple_of=8, description="side in pixels of such photos"
    )
    prompt: str = "{sitter} {place}"

    @field_validator("prompt")
    @classmethod
    def _template(cls, prompt: str) -> str:
        return checked_template(prompt, ("sitter", "place"))


class PhotoEditing(Task):
    """Edits a photo and compares with the same edit of the clean photo."""

    metrics = LIKENESS
    needs_reference: ClassVar[bool] = True
    strip: ClassVar[Strip] = Strip(6, 1, 1, "Photo as the editor gets it", "Edited")
    files: ClassVar[tuple[str, ...]] = ("photos",)
    settings: PhotoEditingSettings

    def __init__(self, settings: PhotoEditingSettings) -> None:
        super().__init__(settings)
        self._photos: Photos = (
            PhotoFolder(Path(settings.photos).expanduser(), settings.resolution)
            if settings.photos
            else AtelierPhotos(settings.split)
        )
        # For as long as this task: what is in a folder may be other images tomorrow.
        self._known = lru_cache(maxsize=64)(self._photos.subject)

    def subjects(self) -> tuple[str, ...]:
        return self._photos.names()

    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """SSIM, PSNR (dB) and VIFp of the edit against the clean photo's."""
        assert reference is not None
        if np.array_equal(exploited.images, reference.images):
            raise PluginError(
                self.name, "this edit is the one that others are compared with", State.SKIPPED
            )
        return likeness(exploited.images, reference.images)

    def ranges(self) -> dict[str, Range]:
        """SSIM is a correlation; PSNR is lowest where every value differs by all of [0, 1], and
        highest where one value differs by one level; VIFp has no upper bound."""
        values = 3 * self.settings.resolution**2
        finest = 20 * math.log10(255) + 10 * math.log10(values)
        return {"ssim": Range(-1, 1), "psnr": Range(0, finest), "vif-p": Range(0)}


def likeness(images: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """SSIM, PSNR (dB) and VIFp, means over pairs of uint8 images (N, H, W, 3)."""
    from impress_bench.benchmark.pixels import to_tensor
    from impress_bench.metrics import psnr, ssim, vif_p

    pair = to_tensor(images), to_tensor(reference)
    measures = {"ssim": ssim, "psnr": psnr, "vif-p": vif_p}
    return {name: float(metric(*pair).mean()) for name, metric in measures.items()}
