"""Malicious editing: repaint all of a photo but the head as a prompt says.

Section 5.2 and Table 2 of the IMPRESS paper, after PhotoGuard (Salman et al. 2023). How far a
condition's edit lies from the edit of the clean photo, made with the same noise, is what a
protection achieves: the farther, the better protected.

What is perturbed is the protection's affair (PhotoGuard: the head, the rest being thrown away); its
budget counts over the whole image; purifiers see the whole image and no mask. The head is kept by
the model only, and nothing is pasted back before images are compared, as in the released code. A
model that edits by instruction, InstructPix2Pix, sees no mask and changes the photo as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder
from impress_bench.benchmark.datasets.photos import AtelierPhotos, Photos
from impress_bench.benchmark.tasks.base import Range, Strip, Task, TaskSettings
from impress_bench.benchmark.tasks.templates import checked_template
from impress_bench.metrics.psnr import INFO as PSNR
from impress_bench.metrics.ssim import INFO as SSIM
from impress_bench.metrics.vif_p import INFO as VIF_P

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

GREY = 128
#: Of an edit to the edit of the clean photo.
LIKENESS = (SSIM, replace(PSNR, primary=True), VIF_P)


class MaliciousEditingSettings(TaskSettings):
    """How photos are edited; defaults are the paper's, but for its prompt.

    `prompt` may name the `{sitter}` and a `{place}` that is not the photo's own; the paper edits
    every photo to "A person in an airplane".
    """

    split: Literal["test", "validation"] = "test"
    photos: str = Field(default="", description="a folder of photos, instead of the atelier's")
    # VIFp needs sides of 41 pixels, the autoencoder multiples of 8.
    resolution: int = Field(
        default=512, ge=48, multiple_of=8, description="side in pixels of such photos"
    )
    prompt: str = "{sitter} {place}"
    sampling_steps: int = Field(default=100, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)
    eta: float = Field(default=1.0, ge=0, le=1, description="DDIM noise of the editor")

    @field_validator("prompt")
    @classmethod
    def _template(cls, prompt: str) -> str:
        return checked_template(prompt, ("sitter", "place"))


class MaliciousEditing(Task):
    """Edits a photo and compares with the same edit of the clean photo."""

    name: ClassVar[str] = "malicious-editing"
    metrics = (
        *LIKENESS,
        *(
            replace(
                metric,
                name=f"{metric.name}-background",
                title=f"{metric.title}, background",
                primary=False,
            )
            for metric in LIKENESS
        ),
    )
    title: ClassVar[str] = "Malicious editing"
    controls: ClassVar[Mapping[str, str]] = {
        "other-seed": "Clean photo, another seed",
        "grey-head": "Head replaced by grey",
    }
    needs_reference: ClassVar[bool] = True
    strip: ClassVar[Strip] = Strip(6, 1, 1, "Photo as the editor gets it", "Edited")
    Settings: ClassVar[type[TaskSettings]] = MaliciousEditingSettings
    files: ClassVar[tuple[str, ...]] = ("photos",)
    settings: MaliciousEditingSettings

    def __init__(self, settings: MaliciousEditingSettings) -> None:
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

    def originals(self, subject: str) -> ImageSet:
        return self._known(subject).photo

    def exploit(
        self,
        subject: str,
        images: ImageSet,
        model: LatentDiffusion,
        seed: int,
        progress: Callable[[int, int], None],
        control: str | None = None,
    ) -> ImageSet:
        """The edited photo, whose title is the prompt.

        The control "other-seed" edits the clean photo with other noise: how alike two edits are
        that differ in nothing else. "grey-head" edits a photo without a head, which shows how much
        the head matters to what is painted around it.
        """
        import torch

        from impress_bench.benchmark.pixels import to_pixels, to_tensor

        known, settings = self._known(subject), self.settings
        if problem := model.editing_problem:
            raise PluginError(self.name, problem, State.SKIPPED)
        keep = known.photo.masks
        assert keep is not None
        pixels = images.images
        if control == "grey-head":
            pixels = np.where(keep[..., None], np.uint8(GREY), pixels)
        generator = torch.Generator().manual_seed(seed + (control == "other-seed"))
        prompt = settings.prompt.format(sitter=known.sitter, place=known.place)
        edited = model.edit(
            to_tensor(pixels),
            torch.from_numpy(keep.copy()),
            [prompt] * len(pixels),
            generator,
            steps=settings.sampling_steps,
            guidance_scale=settings.guidance_scale,
            eta=settings.eta,
        )
        progress(1, 1)
        return replace(known.photo, images=to_pixels(edited), titles=(prompt,) * len(pixels))

    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """SSIM, PSNR (dB) and VIFp of the edit against the clean photo's, raw as in the paper, and
        of the background alone: the head of both is taken from the reference first."""
        from impress_bench.benchmark.pixels import to_tensor
        from impress_bench.metrics import psnr, ssim, vif_p

        assert reference is not None
        if np.array_equal(exploited.images, reference.images):
            raise PluginError(
                self.name, "this edit is the one that others are compared with", State.SKIPPED
            )
        keep = self._known(subject).photo.masks
        assert keep is not None
        behind = np.where(keep[..., None], reference.images, exploited.images)
        scores = {}
        for suffix, pixels in {"": exploited.images, "-background": behind}.items():
            pair = to_tensor(pixels), to_tensor(reference.images)
            for name, metric in {"ssim": ssim, "psnr": psnr, "vif-p": vif_p}.items():
                scores[name + suffix] = float(metric(*pair).mean())
        return scores

    def ranges(self) -> dict[str, Range]:
        """SSIM is a correlation; PSNR is lowest where every value differs by all of [0, 1], and
        highest where one value differs by one level; VIFp has no upper bound."""
        values = 3 * self.settings.resolution**2
        finest = 20 * math.log10(255) + 10 * math.log10(values)
        whole = {"ssim": Range(-1, 1), "psnr": Range(0, finest), "vif-p": Range(0)}
        return {f"{name}{part}": of for name, of in whole.items() for part in ("", "-background")}
