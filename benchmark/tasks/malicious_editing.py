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

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.tasks.base import Range, TaskSettings
from impress_bench.benchmark.tasks.photo_editing import (
    GREY,
    LIKENESS,
    PhotoEditing,
    PhotoEditingSettings,
    likeness,
)

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class MaliciousEditingSettings(PhotoEditingSettings):
    """How photos are edited; defaults are the paper's, but for its prompt.

    `prompt` may name the `{sitter}` and a `{place}` that is not the photo's own; the paper edits
    every photo to "A person in an airplane".
    """

    sampling_steps: int = Field(default=100, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)
    eta: float = Field(default=1.0, ge=0, le=1, description="DDIM noise of the editor")


class MaliciousEditing(PhotoEditing):
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
    Settings: ClassVar[type[TaskSettings]] = MaliciousEditingSettings
    settings: MaliciousEditingSettings

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
        whole = super().score(subject, exploited, reference)
        assert reference is not None
        keep = self._known(subject).photo.masks
        assert keep is not None
        behind = np.where(keep[..., None], reference.images, exploited.images)
        background = likeness(behind, reference.images)
        return whole | {f"{name}-background": value for name, value in background.items()}

    def ranges(self) -> dict[str, Range]:
        """Those of the whole and of the background are alike."""
        whole = super().ranges()
        return {f"{name}{part}": of for name, of in whole.items() for part in ("", "-background")}
