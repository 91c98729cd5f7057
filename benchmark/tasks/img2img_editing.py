"""Editing by img2img: noise a photo in part, and denoise it as a prompt says (SDEdit).

SDEdit is Meng et al. 2022 (ICLR); PhotoGuard (Salman et al. 2023) and Mist (Liang and Wu 2023) show
their protections against it. How far a condition's edit lies from the edit of the clean photo, made
with the same noise, is what a protection achieves: the farther, the better protected.

The whole photo is changed, so that nobody has a mask: what is perturbed is the whole photo. Every
model redraws, those too that cannot inpaint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder
from impress_bench.benchmark.datasets.photos import AtelierPhotos, Photos
from impress_bench.benchmark.tasks.base import Range, Strip, Task, TaskSettings
from impress_bench.benchmark.tasks.malicious_editing import GREY, LIKENESS
from impress_bench.benchmark.tasks.templates import checked_template

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Img2ImgEditingSettings(TaskSettings):
    """How photos are edited; strength, steps and guidance are those of the evaluation that
    BlurGuard (Kim et al. 2025) releases.

    `prompt` may name the `{sitter}` and a `{place}` that is not the photo's own. `strength` is the
    share of the sampler's steps that are taken, as diffusers counts it: on a rectified flow it is
    another level of noise than on a diffusion.
    """

    split: Literal["test", "validation"] = "test"
    photos: str = Field(
        default="", description="a folder of photos with masks, instead of the atelier's"
    )
    # VIFp needs sides of 41 pixels, the autoencoder multiples of 8.
    resolution: int = Field(
        default=512, ge=48, multiple_of=8, description="side in pixels of such photos"
    )
    prompt: str = "{sitter} {place}"
    strength: float = Field(default=0.5, gt=0, le=1)
    sampling_steps: int = Field(default=50, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)

    @field_validator("prompt")
    @classmethod
    def _template(cls, prompt: str) -> str:
        return checked_template(prompt, ("sitter", "place"))

    @model_validator(mode="after")
    def _some_step(self) -> Img2ImgEditingSettings:
        if int(self.strength * self.sampling_steps) < 1:
            raise ValueError(
                f"strength {self.strength:g} of {self.sampling_steps} sampling_steps is no step;"
                " raise one of them"
            )
        return self


class Img2ImgEditing(Task):
    """Redraws a photo under a prompt and compares with the same edit of the clean photo."""

    name: ClassVar[str] = "img2img-editing"
    metrics = LIKENESS
    title: ClassVar[str] = "Editing by img2img"
    controls: ClassVar[Mapping[str, str]] = {
        "other-seed": "Clean photo, another seed",
        "grey-photo": "Photo replaced by grey",
    }
    needs_reference: ClassVar[bool] = True
    strip: ClassVar[Strip] = Strip(6, 1, 1, "Photo as the editor gets it", "Edited")
    Settings: ClassVar[type[TaskSettings]] = Img2ImgEditingSettings
    files: ClassVar[tuple[str, ...]] = ("photos",)
    settings: Img2ImgEditingSettings

    def __init__(self, settings: Img2ImgEditingSettings) -> None:
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
        return replace(self._known(subject).photo, masks=None)

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
        that differ in nothing else. "grey-photo" edits mid-grey: what the prompt paints by itself,
        and so what a protection comes to whose images are grey to the model.
        """
        import torch

        from impress_bench.benchmark.pixels import to_pixels, to_tensor

        known, settings = self._known(subject), self.settings
        pixels = images.images
        if any(side % model.side_multiple for side in pixels.shape[1:3]):
            told = f"multiples of {model.side_multiple} for this model"
            raise PluginError(self.name, f"sides of photos must be {told}; set resolution so")
        if control == "grey-photo":
            pixels = np.full_like(pixels, GREY)
        prompt = settings.prompt.format(sitter=known.sitter, place=known.place)
        edited = model.img2img(
            to_tensor(pixels),
            [prompt] * len(pixels),
            strength=settings.strength,
            steps=settings.sampling_steps,
            guidance_scale=settings.guidance_scale,
            generator=torch.Generator().manual_seed(seed + (control == "other-seed")),
        )
        progress(1, 1)
        return replace(
            self.originals(subject), images=to_pixels(edited), titles=(prompt,) * len(pixels)
        )

    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """SSIM, PSNR (dB) and VIFp of the edit against the clean photo's."""
        from impress_bench.benchmark.pixels import to_tensor
        from impress_bench.metrics import psnr, ssim, vif_p

        assert reference is not None
        if np.array_equal(exploited.images, reference.images):
            raise PluginError(
                self.name, "this edit is the one that others are compared with", State.SKIPPED
            )
        pair = to_tensor(exploited.images), to_tensor(reference.images)
        measures = {"ssim": ssim, "psnr": psnr, "vif-p": vif_p}
        return {name: float(metric(*pair).mean()) for name, metric in measures.items()}

    def ranges(self) -> dict[str, Range]:
        """SSIM is a correlation; PSNR is lowest where every value differs by all of [0, 1], and
        highest where one value differs by one level; VIFp has no upper bound."""
        values = 3 * self.settings.resolution**2
        finest = 20 * math.log10(255) + 10 * math.log10(values)
        return {"ssim": Range(-1, 1), "psnr": Range(0, finest), "vif-p": Range(0)}
