"""Style mimicry: fine-tune on an artist's images, paint new titles in their name, name the style.

Section 5.1 and Appendix B of the IMPRESS paper, after GLAZE (Shan et al. 2023). The paper says that
new works are painted from the training prompts; its released code uses held-out ones. Both can be
chosen; held-out is the default, since a model may repeat its training images under their prompts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.datasets.mimicry import (
    MimicrySubject,
    atelier_artists,
    atelier_subject,
)
from impress_bench.benchmark.tasks.base import MetricInfo, Strip, Task, TaskSettings

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class StyleMimicrySettings(TaskSettings):
    """Sizes and rates of fine-tuning and sampling; defaults are the paper's."""

    split: Literal["victims", "validation"] = "victims"
    works: int = Field(default=24, ge=1, description="images an artist to learn from")
    samples: int = Field(default=100, ge=1, description="works painted an artist and seed")
    prompts: Literal["held-out", "training"] = "held-out"
    prompt: str = "{title} by {artist}"
    fine_tuning_steps: int = Field(default=500, ge=1)
    fine_tuning_lr: float = Field(default=5e-6, gt=0)
    fine_tuning_batch: int = Field(default=32, ge=1)
    sampling_steps: int = Field(default=100, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)


class StyleMimicry(Task):
    """Learns an artist's style from images and is judged by what it paints next."""

    name: ClassVar[str] = "style-mimicry"
    metrics: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo("clip-top1", "CLIP top-1", True),
        MetricInfo("clip-top3", "CLIP top-3", True),
        MetricInfo("second-top1", "Second classifier top-1", True),
        MetricInfo("second-top3", "Second classifier top-3", True),
    )
    controls: ClassVar[tuple[str, ...]] = ("no-fine-tuning", "other-movement")
    strip: ClassVar[Strip] = Strip(1, 4, 6, "Learned from", "Painted after learning")
    Settings: ClassVar[type[TaskSettings]] = StyleMimicrySettings
    settings: StyleMimicrySettings

    def subjects(self) -> tuple[str, ...]:
        return atelier_artists(self.settings.split)

    def originals(self, subject: str) -> ImageSet:
        return self._known(subject).works

    def exploit(
        self,
        subject: str,
        images: ImageSet,
        model: LatentDiffusion,
        seed: int,
        progress: Callable[[int, int], None],
        control: str | None = None,
    ) -> ImageSet:
        """`samples` images painted by a model that has learned `images` under the artist's name.

        The control "no-fine-tuning" paints with the model as it is; "other-movement" learns the
        next artist's works under this artist's name.
        """
        import torch

        from impress_bench.benchmark.models.fine_tuning import fine_tune
        from impress_bench.benchmark.pixels import to_pixels, to_tensor

        settings, known = self.settings, self._known(subject)
        if control == "other-movement":
            others = self.subjects()
            images = self._known(others[(others.index(subject) + 1) % len(others)]).works
        generator = torch.Generator().manual_seed(seed)
        # Progress counts passes of one image through the U-Net; going back takes two more.
        learned = 3 * settings.fine_tuning_batch
        drawn = settings.sampling_steps * (2 if settings.guidance_scale > 1 else 1)
        learning = 0 if control == "no-fine-tuning" else learned * settings.fine_tuning_steps
        work = learning + drawn * settings.samples
        if control != "no-fine-tuning":
            model = fine_tune(
                model,
                to_tensor(images.images),
                [self._prompt(title, subject) for title in images.titles],
                steps=settings.fine_tuning_steps,
                lr=settings.fine_tuning_lr,
                batch_size=settings.fine_tuning_batch,
                generator=generator,
                progress=lambda done, total: progress(done * learned, work),
            )
        titles = known.held_out_titles if settings.prompts == "held-out" else known.works.titles
        titles = tuple(titles[i % len(titles)] for i in range(settings.samples))
        painted = model.generate(
            [self._prompt(title, subject) for title in titles],
            torch.Generator().manual_seed(seed + 1),
            steps=settings.sampling_steps,
            guidance_scale=settings.guidance_scale,
            progress=lambda done, total: progress(learning + done * drawn, work),
        )
        pixels = to_pixels(painted)
        return ImageSet(pixels, tuple(f"{i:03d}" for i in range(len(pixels))), titles)

    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """Share of the painted works whose style falls into a classifier's first or first three."""
        return {
            f"{name}-top{k}": float((ranks < k).mean())
            for name, ranks in self._ranks(subject, exploited).items()
            for k in (1, 3)
        }

    def chance(self) -> dict[str, float]:
        """A guess among all styles."""
        styles = len(json.loads((PACK / "labels.json").read_text())["labels"])
        return {metric.name: int(metric.name[-1]) / styles for metric in self.metrics}

    def inspect(self, subject: str, images: ImageSet) -> dict[str, list[float]]:
        """Whether each training image is itself still seen as the artist's style (1.0 or 0.0)."""
        return {"own-style": (self._ranks(subject, images)["clip"] < 1).astype(float).tolist()}

    def _ranks(self, subject: str, images: ImageSet) -> dict[str, np.ndarray]:
        """Where the artist's true style comes among each image's labels, 0 first."""
        from impress_bench.benchmark.models.style_classifier import pack_classifiers
        from impress_bench.benchmark.pixels import to_tensor

        style = self._known(subject).style
        ranks = {}
        for name, classifier in pack_classifiers(PACK).items():
            scores = classifier.scores(to_tensor(images.images)).numpy()
            own = scores[:, [classifier.labels.index(style)]]
            ranks[name] = (scores > own).sum(axis=1)
        return ranks

    def _prompt(self, title: str, artist: str) -> str:
        return self.settings.prompt.format(title=title, artist=artist)

    def _known(self, subject: str) -> MimicrySubject:
        return atelier_subject(subject, self.settings.works, self.settings.samples)
