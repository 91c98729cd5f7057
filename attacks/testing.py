"""Conformance of a purifier, for its own tests and for `impress-bench check`.

```python
from impress_bench.attacks.testing import PurifierConformance

class TestMyPurifier(PurifierConformance):
    def build(self):
        return MyPurifier(steps=20)
```
"""

from __future__ import annotations

import torch

from impress_bench.benchmark.conformance import Conformance, ConformanceError, Photos
from impress_bench.benchmark.contract import Context


class PurifierConformance(Conformance):
    """What every purifier must satisfy."""

    #: Mean absolute change of a clean image, on [0, 1], beyond which nothing is left of it.
    most_damage = 0.15

    def context(self, photos: Photos, seed: int = 0) -> Context:
        """The surrogate: a purifier gets neither titles nor masks."""
        return Context(torch.Generator().manual_seed(seed), self.model())

    def test_leaves_a_picture(self) -> None:
        """A clean image stays recognisable.

        A purifier that returns grey removes every protection, and every picture. Boards show the
        damage to clean images beside what a purifier recovers; this only refuses destruction.
        """
        photos = self.photos()
        damage = float((self.apply(photos) - photos.images).abs().mean())
        if damage > self.most_damage:
            raise ConformanceError(
                f"{self._name()}: a clean image changes by {damage:.2f} on average, of a range of 1"
            )
