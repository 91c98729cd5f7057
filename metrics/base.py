"""Base classes of the metrics that third parties register under `impress_bench.metrics`.

Tasks have metrics of their own; `metrics = ["lpips"]` in a preset, or `--metrics`, adds to them.
The class attributes are the metric's declaration (`impress_bench.benchmark.metric.MetricInfo`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from impress_bench.benchmark.metric import Over


class Metric(ABC):
    """A metric with one value per image; a cell's value is the mean over its images."""

    #: What boards call it.
    title: ClassVar[str]
    #: Whether higher values mean a more successful exploit.
    higher_is_better: ClassVar[bool]
    #: "dB", "" for a bare number, or "%" for values in [0, 1] that are printed in per cent.
    unit: ClassVar[str] = ""
    over: ClassVar[Over] = "image"
    #: Whether it compares each image with what the exploit makes of the clean images. Tasks whose
    #: exploits cannot be compared image by image, such as style mimicry, are then not measured.
    needs_reference: ClassVar[bool] = True
    #: With `needs_reference`, which images are compared with: "exploit", what the exploit makes of
    #: the clean images, or "original", the clean images themselves.
    reference: ClassVar[Literal["exploit", "original"]] = "exploit"
    #: Whether it is called with `titles=`, a text per image of what it was to show, and, where it
    #: has a reference, `reference_titles=`. Cells of tasks that say neither are skipped.
    needs_titles: ClassVar[bool] = False
    #: A library that is an extra of ours, and the extra; without it cells are skipped.
    library: ClassVar[tuple[str, str] | None] = None

    @abstractmethod
    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """Measure each image.

        Parameters:
            images: What the exploit made, float32 (B, 3, H, W) in [0, 1].
            reference: The images to compare with, of the same shape and in the same order; None
                without `needs_reference`.

        Returns finite values (B,).
        """


class SetMetric(ABC):
    """A metric with one value per set of images: how far what an exploit made for one subject is
    from a set of reference images, with no pairing of images (KID, CMMD and their like).

    The two sets may differ in size. Use an estimator that is unbiased at small sizes, since a
    subject has a dozen or a hundred images.
    """

    title: ClassVar[str]
    higher_is_better: ClassVar[bool]
    unit: ClassVar[str] = ""
    over: ClassVar[Over] = "set"
    #: The reference set: "own", the subject's own images that the exploit did not get, where the
    #: task has such, else its clean images; or "exploit", what the exploit makes of the clean ones.
    reference: ClassVar[Literal["own", "exploit"]] = "own"
    #: The fewest images that each set needs; cells with fewer are skipped.
    minimum: ClassVar[int] = 2

    def embed(self, images: Tensor) -> Tensor:
        """Features (N, ...) of images float32 (N, 3, H, W) in [0, 1]; the images by default."""
        return images

    @abstractmethod
    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """One finite value from the features of both sets, (N, ...) and (M, ...).

        A task that has features of its own, such as its judge's, calls this directly.
        """

    def __call__(self, images: Tensor, reference: Tensor) -> float:
        """One finite value from the images of both sets, (N, 3, H, W) and (M, 3, H, W)."""
        return self.compare(self.embed(images), self.embed(reference))
