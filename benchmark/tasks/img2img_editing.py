"""Editing by img2img: noise a photo in part, and denoise it as a prompt says (SDEdit).

SDEdit is Meng et al. 2022 (ICLR); PhotoGuard (Salman et al. 2023) and Mist (Liang and Wu 2023) show
their protections against it. How far a condition's edit lies from the edit of the clean photo, made
with the same noise, is what a protection achieves: the farther, the better protected.

The whole photo is changed, so that nobody has a mask: what is perturbed is the whole photo. Every
model redraws, those too that cannot inpaint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, model_validator

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.tasks.base import TaskSettings
from impress_bench.benchmark.tasks.photo_editing import GREY, PhotoEditing, PhotoEditingSettings

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Img2ImgEditingSettings(PhotoEditingSettings):
    """How photos are edited; strength, steps and guidance are those of the evaluation that
    BlurGuard (Kim et al. 2025) releases.

    `prompt` may name the `{sitter}` and a `{place}` that is not the photo's own. `strength` is the
    share of the sampler's steps that are taken, as diffusers counts it: on a rectified flow it is
    another level of noise than on a diffusion.
    """

    strength: float = Field(default=0.5, gt=0, le=1)
    sampling_steps: int = Field(default=50, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)

    @model_validator(mode="after")
    def _some_step(self) -> Img2ImgEditingSettings:
        if int(self.strength * self.sampling_steps) < 1:
            raise ValueError(
                f"strength {self.strength:g} of {self.sampling_steps} sampling_steps is no step;"
                " raise one of them"
            )
        return self


class Img2ImgEditing(PhotoEditing):
    """Redraws a photo under a prompt and compares with the same edit of the clean photo."""

    name: ClassVar[str] = "img2img-editing"
    title: ClassVar[str] = "Editing by img2img"
    controls: ClassVar[Mapping[str, str]] = {
        "other-seed": "Clean photo, another seed",
        "grey-photo": "Photo replaced by grey",
    }
    Settings: ClassVar[type[TaskSettings]] = Img2ImgEditingSettings
    settings: Img2ImgEditingSettings

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
