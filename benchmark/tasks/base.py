"""What a task is: how images are exploited and how the outcome is scored.

A task alone knows edit prompts, held-out titles, labels and the target model's answers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.benchmark.unfinished import Unfinished

__all__ = ["SHARE", "MetricInfo", "Strip", "Task", "TaskSettings"]

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Range(NamedTuple):
    """Which values a metric can have: from `lowest` to `highest`, both included, and if it is the
    share of `parts` images, multiples of one part alone."""

    lowest: float = -math.inf
    highest: float = math.inf
    parts: int | None = None

    def excludes(self, value: float) -> str:
        """Why no run measures `value`; empty where one may."""
        if not self.lowest <= value <= self.highest:
            return f"{value:g} lies outside [{self.lowest:g}, {self.highest:g}]"
        if self.parts is not None and abs(value * self.parts - round(value * self.parts)) > 1e-6:
            return f"{value:g} is no multiple of 1/{self.parts}, the share of one image"
        return ""


class Strip(NamedTuple):
    """How a task's pictures are shown, a condition a row: `subjects` share a strip, each with
    `given` of the images that were exploited and `made` of those that came of it."""

    subjects: int = 1
    given: int = 4
    made: int = 6
    given_title: str = "Given"
    made_title: str = "Made of it"


class TaskSettings(BaseModel):
    """Settings of a task; a subclass adds its own. Unknown keys are refused.

    What is in `judging`, where a task has that, matters to its judge alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Task(ABC):
    """Base of all tasks. Every method is a pure function of its arguments and the settings, so that
    its result can be stored and shared; `unfinished` alters no result."""

    name: ClassVar[str]
    #: What boards call it; "" stands for its registered name made readable.
    title: ClassVar[str] = ""
    #: What `score` measures, in the order of display.
    metrics: tuple[MetricInfo, ...]
    #: Metrics with a `scale`, which boards compute from `metrics` and show first.
    scaled: ClassVar[tuple[MetricInfo, ...]] = ()
    #: What `inspect` measures.
    inspections: ClassVar[tuple[MetricInfo, ...]] = ()
    #: `module:class` of the judge, where that is code of its own: exploits do not depend on it.
    judge: ClassVar[str] = ""
    #: Exploits that use no protected images, such as the floor "no-fine-tuning", and their titles.
    controls: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: The control whose images are the subject's own but were not exploited, the reference of set
    #: metrics; None: the clean images are.
    own_images: ClassVar[str | None] = None
    #: Whether `score` compares with the exploit of the clean images (malicious editing does).
    needs_reference: ClassVar[bool] = False
    strip: ClassVar[Strip] = Strip()
    #: Settings that may name a file or a folder (one's own images, say): what is in it is part of
    #: the key of every result.
    files: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[TaskSettings]]
    #: Where `exploit` may keep the state of long work and go on from it; set before each call.
    unfinished: Unfinished = Unfinished()

    def __init__(self, settings: TaskSettings) -> None:
        self.settings = settings

    @abstractmethod
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects (an artist's training set, a photo), in board order. No torch."""

    @abstractmethod
    def originals(self, subject: str) -> ImageSet:
        """The clean images of one subject, as a protection will see them."""

    @abstractmethod
    def exploit(
        self,
        subject: str,
        images: ImageSet,
        model: LatentDiffusion,
        seed: int,
        progress: Callable[[int, int], None],
        control: str | None = None,
    ) -> ImageSet:
        """What the target model makes of `images`. The noise depends on (subject, seed) alone, so
        that protections and purifiers are compared pairwise. `control` names one of `controls`;
        then `images` are the originals and the control decides what to make of them.

        The titles of what it returns, if any, say what each image was to show: metrics that compare
        images with texts read them."""

    @abstractmethod
    def score(
        self, subject: str, exploited: ImageSet, reference: ImageSet | None
    ) -> dict[str, float]:
        """One value per metric of `metrics`, be it a mean over images or over the whole set.

        `reference` is the exploit of the clean images, None without `needs_reference`."""

    def inspect(self, subject: str, images: ImageSet, decoded: ImageSet) -> dict[str, list[float]]:
        """One value per image for each of `inspections`, before the images are exploited;
        `decoded` are the target model's reconstructions D(E(x)) of them."""
        return {}

    def ranges(self) -> dict[str, Range]:
        """Which values a metric can have, by metric, where that is known."""
        return {}

    def chance(self) -> dict[str, float]:
        """What guessing would score, by metric, where that is known."""
        return {}
