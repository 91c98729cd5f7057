"""Style mimicry: fine-tune on an artist's images, paint new titles in their name, name the style.

Section 5.1 and Appendix B of the IMPRESS paper, after GLAZE (Shan et al. 2023). The paper says that
new works are painted from the training prompts; its released code uses held-out ones. Both can be
chosen; held-out is the default, since a model may repeat its training images under their prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.datasets.artworks import ArtworkFolder
from impress_bench.benchmark.datasets.captions import CAPTIONER
from impress_bench.benchmark.datasets.mimicry import Artists, AtelierArtists
from impress_bench.benchmark.metric import Scale
from impress_bench.benchmark.models import low_rank
from impress_bench.benchmark.tasks.base import MetricInfo, Range, Strip, Task, TaskSettings
from impress_bench.benchmark.tasks.templates import checked_template

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


#: Differences of two cosines; and 1000 times twice the most by which the kernel
#: exp(-d^2 / 200) of points at d of at most 2 can differ.
RANGES = {
    "clip-margin": Range(-2, 2),
    "clip-centroid": Range(-2, 2),
    "clip-distance": Range(-39.7, 39.7),
}
JUDGE = "impress_bench.benchmark.tasks.style_judge:StyleJudge"


class StyleMimicrySettings(TaskSettings):
    """Sizes and rates of fine-tuning and sampling; defaults are the paper's."""

    split: Literal["victims", "validation"] = "victims"
    artworks: str = Field(default="", description="a folder an artist, instead of the atelier's")
    resolution: int = Field(
        default=512, ge=32, multiple_of=8, description="side in pixels of such artworks"
    )
    captioner: str = Field(default=CAPTIONER, description="titles such artworks without a title")
    works: int = Field(default=24, ge=2, description="images per artist to learn from")
    samples: int = Field(default=100, ge=2, description="works painted per artist and seed")
    prompts: Literal["held-out", "training"] = "held-out"
    prompt: str = "{title} by {artist}"
    fine_tuning_steps: int = Field(default=500, ge=1)
    fine_tuning_lr: float = Field(default=5e-6, gt=0)
    fine_tuning_batch: int = Field(default=32, ge=1)
    fine_tuning_microbatch: int | None = Field(
        default=None, ge=1, description="images at a time, whose gradients are accumulated"
    )
    fine_tuning_lora_rank: int | None = Field(
        default=None, ge=1, description="of adapters that learn in place of the whole U-Net"
    )
    fine_tuning_posterior_means: bool = Field(
        default=False, description="learn means of latents, without the encoder's noise"
    )
    sampler: Literal["model", "dpm-solver++"] = "model"
    sampling_steps: int = Field(default=100, ge=1)
    sampling_batch: int = Field(default=32, ge=1)
    guidance_scale: float = Field(default=7.5, ge=1)
    judging: dict[str, Any] = Field(
        default={}, validate_default=True, description="the judge's own settings"
    )

    @field_validator("prompt")
    @classmethod
    def _template(cls, prompt: str) -> str:
        return checked_template(prompt, ("title", "artist"))

    @field_validator("judging")
    @classmethod
    def _all_decided(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Every setting of the judge; a wrong one is named."""
        try:
            decided: dict[str, Any] = _load_judge().Settings(**given).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return decided


class StyleMimicry(Task):
    """Learns an artist's style from images and is judged by what it paints next."""

    name: ClassVar[str] = "style-mimicry"
    judge: ClassVar[str] = JUDGE
    title: ClassVar[str] = "Style mimicry"
    inspections: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo("own-style", "Training image still in its own style", higher_is_better=None),
        MetricInfo(
            "own-style-decoded", "Its reconstruction still in its own style", higher_is_better=None
        ),
    )
    controls: ClassVar[Mapping[str, str]] = {
        "own-works": "The artist's own held-out works",
        "no-fine-tuning": "No fine-tuning",
        "other-movement": "Fine-tuned on another movement",
    }
    scaled: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo(
            "style-score",
            "Style score",
            higher_is_better=True,
            over="set",
            scale=Scale(
                "clip-distance", "no-fine-tuning", "own-works", higher_is_better=False, squared=True
            ),
            primary=True,
        ),
    )
    own_images: ClassVar[str | None] = "own-works"
    strip: ClassVar[Strip] = Strip(1, 4, 6, "Learned from", "Painted after learning")
    files: ClassVar[tuple[str, ...]] = ("artworks", "judging.clip", "judging.diffusion_model")
    Settings: ClassVar[type[TaskSettings]] = StyleMimicrySettings
    settings: StyleMimicrySettings

    def __init__(self, settings: StyleMimicrySettings) -> None:
        super().__init__(settings)
        self._artists = _artists(settings)
        judge = _load_judge()
        self._judge = judge(judge.Settings(**settings.judging), self._artists.own_works)
        # For as long as this task: what is in a folder may be other images tomorrow.
        self._known = lru_cache(maxsize=4)(self._artists.subject)

    @cached_property
    def metrics(self) -> tuple[MetricInfo, ...]:  # type: ignore[override]
        """Of the judge; what compares with other artists only where there are any, which is taken
        for granted of artworks that are not on this machine."""
        try:
            rivals = len(self._artists.names()) > 1
        except PluginError:
            rivals = True
        shown = self._judge.shown(self.settings.samples)
        return tuple(
            replace(metric, images=shown.get(metric.name)) for metric in self._judge.metrics(rivals)
        )

    def subjects(self) -> tuple[str, ...]:
        """The artists. Raises PluginError for one of whose style the judge knows nothing, and where
        what `fine_tuning_lora_rank` needs is not installed."""
        if self.settings.fine_tuning_lora_rank is not None and (told := low_rank.missing()):
            raise PluginError(self.name, f"fine_tuning_lora_rank {told}")
        names = self._artists.names()
        for name in names:
            self._judge.require(name, self._artists.style_of(name))
        return names

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

        The control "own-works" are the artist's own held-out works, the ceiling of what a judge can
        recognise; "no-fine-tuning" paints with the model as it is; "other-movement" learns the next
        artist's works, of another style, under this artist's name.
        """
        import torch

        from impress_bench.benchmark.models.fine_tuning import fine_tune
        from impress_bench.benchmark.models.painting import paint
        from impress_bench.benchmark.pixels import to_pixels, to_tensor

        settings, known = self.settings, self._known(subject)
        if control == "own-works":
            return known.held_out
        if control == "other-movement":
            images = self._known(self._of_another_style(subject)).works
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
                microbatch=settings.fine_tuning_microbatch,
                lora_rank=settings.fine_tuning_lora_rank,
                posterior_means=settings.fine_tuning_posterior_means,
                generator=generator,
                progress=lambda done, total: progress(done * learned, work),
                unfinished=self.unfinished,
            )
        titles = (known.held_out if settings.prompts == "held-out" else known.works).titles
        titles = tuple(titles[i % len(titles)] for i in range(settings.samples))
        painted = paint(
            model,
            [self._prompt(title, subject) for title in titles],
            torch.Generator().manual_seed(seed + 1),
            steps=settings.sampling_steps,
            guidance_scale=settings.guidance_scale,
            sampler=settings.sampler,
            batch_size=settings.sampling_batch,
            progress=lambda done, total: progress(learning + done * drawn, work),
            unfinished=self.unfinished,
        )
        pixels = to_pixels(painted)
        return ImageSet(pixels, tuple(f"{i:03d}" for i in range(len(pixels))), titles)

    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """Shares of painted works that classifiers see in the artist's style, and how near CLIP's
        embeddings of them are to the artist's own works."""
        artists = self._artists
        scores: dict[str, float] = self._judge.scores(
            subject,
            artists.style_of(subject),
            exploited.images,
            [name for name in artists.names() if name != subject],
        )
        return scores

    def ranges(self) -> dict[str, Range]:
        """Shares of the painted works, or of those of them that a classifier is shown; of the
        others what unit embeddings allow."""
        shown = self._judge.shown(self.settings.samples)
        shares = {name: Range(0, 1, count) for name, count in shown.items()}
        return {
            metric.name: RANGES.get(metric.name) or shares[metric.name] for metric in self.metrics
        }

    def chance(self) -> dict[str, float]:
        """A guess among all styles."""
        chance: dict[str, float] = self._judge.chance()
        return chance

    def inspect(self, subject: str, images: ImageSet, decoded: ImageSet) -> dict[str, list[float]]:
        """Whether CLIP sees the artist's style in each training image, and in what the model's
        autoencoder makes of it (1.0 or 0.0). Where the second is rarely so, what a model learns
        from is another style already, and the judge sees the decoder's work as well."""
        style = self._artists.style_of(subject)
        return {
            "own-style": self._judge.recognised(style, images.images),
            "own-style-decoded": self._judge.recognised(style, decoded.images),
        }

    def _prompt(self, title: str, artist: str) -> str:
        return self.settings.prompt.format(title=title, artist=artist)

    def _of_another_style(self, subject: str) -> str:
        """The next artist in the round whose style is another."""
        artists, style = self._artists.names(), self._artists.style_of(subject)
        at = artists.index(subject)
        for other in artists[at + 1 :] + artists[:at]:
            if self._artists.style_of(other) != style:
                return other
        raise PluginError(
            self.name, f"there is no artist whose style is not {style}", State.SKIPPED
        )


def _artists(settings: StyleMimicrySettings) -> Artists:
    if not settings.artworks:
        return AtelierArtists(settings.split, settings.works, settings.samples)
    return ArtworkFolder(
        Path(settings.artworks).expanduser(),
        settings.works,
        settings.resolution,
        settings.captioner,
    )


def _load_judge() -> Any:
    """The judge's class, found by name: what is imported here counts as code of the exploit."""
    module, name = JUDGE.split(":")
    return getattr(import_module(module), name)
