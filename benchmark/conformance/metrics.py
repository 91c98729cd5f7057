"""What every metric must satisfy, for its own tests and for `impress-bench check`.

```python
from impress_bench.benchmark.conformance import MetricConformance

class TestMyMetric(MetricConformance):
    def build(self):
        return MyMetric()
```
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.conformance.case import Case, ConformanceError, Photos
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.pixels import round_to_8bit

#: Relative difference below which two values are the same but for the order of sums.
CLOSE = 1e-4


class MetricConformance(Case):
    """What metrics of images and of sets must satisfy."""

    def apply(self, photos: Photos, seed: int = 0) -> Tensor:
        """The values of noisy photos beside the photos: (B,), of sets one."""
        return self.values(noisy(photos.images, seed), photos)

    def values(self, made: Tensor, photos: Photos) -> Tensor:
        """The values of images (B, 3, H, W) that an exploit made, beside `photos`."""
        metric = self.build()
        texts: dict[str, Any] = {}
        reference = photos.images if self._compares() else None
        if getattr(metric, "needs_titles", False) and not self._of_sets():
            texts["titles"] = photos.titles
            if reference is not None:
                texts["reference_titles"] = photos.titles
        with torch.no_grad():
            return torch.as_tensor(metric(made, reference, **texts)).double()

    def test_answers_with_finite_values(self) -> None:
        """One finite value per image, or one per set: of noisy, of equal and of flat images.

        A value that is not finite fails its cell. Bound what can be infinite, such as the PSNR of
        equal images. Images that are not square may be refused, by a PluginError; the two sets of a
        metric over sets differ in size.
        """
        for size in self.sizes:
            photos = self.photos(self._enough() + self._of_sets(), size)
            wanted = (1,) if self._of_sets() else (len(photos.images),)
            kinds = {
                "noisy": noisy(photos.images),
                "equal": photos.images.clone(),
                "flat": torch.full_like(photos.images, 0.5),
            }
            for kind, made in kinds.items():
                try:
                    values = self.values(made[1:] if self._of_sets() else made, photos)
                except PluginError:
                    if size == self.sizes[0]:
                        raise
                    continue
                found = tuple(values.shape)
                if found != wanted and not (self._of_sets() and not found):
                    raise ConformanceError(f"{self._name()}: returns shape {found}, not {wanted}")
                if not bool(torch.isfinite(values).all()):
                    raise ConformanceError(f"{self._name()}: {kind} images have no finite value")

    def test_leaves_its_input_alone(self) -> None:
        """The images it is given are unchanged afterwards.

        Other metrics get the same tensors. Work on a clone: in-place operations end in an
        underscore.
        """
        photos = self.photos(self._enough())
        made, given = noisy(photos.images), photos.images.clone()
        before = made.clone()
        self.values(made, photos)
        if not (torch.equal(made, before) and torch.equal(photos.images, given)):
            raise ConformanceError(f"{self._name()}: edits the images it is given")

    def test_images_do_not_depend_on_their_neighbours(self) -> None:
        """Each image has the same value, of shape (1,), alone as among others.

        Batches are cut as memory allows, and an edit may be of one photo. Average over pixels, not
        over the batch. Metrics over sets are not checked.
        """
        if self._of_sets():
            return
        photos = self.photos(3)
        made, together = noisy(photos.images), self.apply(photos)
        for at in range(len(made)):
            one = slice(at, at + 1)
            alone = Photos(photos.images[one], photos.titles[one], photos.masks[one])
            value = self.values(made[one], alone)
            if value.shape != (1,):
                raise ConformanceError(
                    f"{self._name()}: returns shape {tuple(value.shape)} for one image, not (1,)"
                )
            if not torch.allclose(value, together[one], rtol=CLOSE, atol=1e-9):
                raise ConformanceError(
                    f"{self._name()}: image {at} has {value.item():.6g} alone and"
                    f" {together[at].item():.6g} among others"
                )

    def test_points_the_right_way(self) -> None:
        """Beside the exploit of clean images, or own works, equal images fare best.

        `higher_is_better` is from the exploit's side: a distance declares False. Metrics that are
        compared with neither are not checked.
        """
        metric = self.build()
        default = "own" if self._of_sets() else "exploit"
        compared = self._compares() and getattr(metric, "reference", default) != "original"
        if not compared or metric.higher_is_better is None:
            return
        photos = self.photos(max(4, self._enough()))
        worse = self.apply(photos).mean()
        equal = self.values(photos.images.clone(), photos).mean()
        if not (equal >= worse if metric.higher_is_better else equal <= worse):
            raise ConformanceError(
                f"{self._name()}: equal images have {equal:.4g}, noisy ones {worse:.4g}, and"
                f" higher_is_better is {bool(metric.higher_is_better)}"
            )

    def _of_sets(self) -> bool:
        return str(getattr(self.build(), "over", "image")) == "set"

    def _compares(self) -> bool:
        return self._of_sets() or bool(getattr(self.build(), "needs_reference", True))

    def _enough(self) -> int:
        """Images that a call needs."""
        least = int(getattr(self.build(), "minimum", 2 if self._of_sets() else 1))
        return max(2, least)

    def photos(self, count: int = 0, size: tuple[int, int] = (64, 64)) -> Photos:
        """As many portraits as the metric needs."""
        return super().photos(max(count, self._enough()), size)


def noisy(images: Tensor, seed: int = 0) -> Tensor:
    """Images (B, 3, H, W) with noise of a tenth of the range, 8-bit values; each has its own."""
    generators = [torch.Generator().manual_seed(seed + at) for at in range(len(images))]
    drawn = [torch.randn(images.shape[1:], generator=one) for one in generators]
    return round_to_8bit((images + 0.1 * torch.stack(drawn)).clamp(0, 1))
