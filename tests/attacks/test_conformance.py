"""The built-in purifiers conform, and destruction is refused."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from impress_bench.attacks import (
    Auto,
    Crop,
    DiffPure,
    GaussianNoise,
    GridPure,
    Impress,
    Jpeg,
    NoPurifier,
    Purifier,
    Resize,
    Rotation,
    TotalVariation,
    VaeRoundTrip,
)
from impress_bench.attacks.testing import PurifierConformance
from impress_bench.benchmark.conformance import ConformanceError, checks


def cheap_auto():
    """`auto` with the first of its members, which run no U-Net and no descent."""
    auto = Auto()
    auto.members = auto.members[:3]
    return auto


BUILDERS = {
    "none": NoPurifier,
    "jpeg": lambda: Jpeg(quality=50),
    "gaussian-noise": lambda: GaussianNoise(std=0.1),
    "resize": Resize,
    "nearest": lambda: Resize(factor=0.8, interpolation="nearest"),
    "crop": Crop,
    "rotation": Rotation,
    "vae-round-trip": VaeRoundTrip,
    "impress": lambda: Impress(steps=3, lr=0.08),
    "diffpure": lambda: DiffPure(strength=0.1, steps=20),
    "gridpure": lambda: GridPure(iterations=2, strength=0.05, steps=20),
    "total-variation": TotalVariation,
    "auto": cheap_auto,
}


@pytest.mark.parametrize("name", BUILDERS)
def test_built_in_purifiers_conform(name):
    class Case(PurifierConformance):
        def build(self):
            return BUILDERS[name]()

    for _, _, check in checks(Case()):
        check()


class Grey(Purifier):
    """Removes every protection, and every picture."""

    name: ClassVar[str] = "grey"

    def purify(self, images, context):
        return torch.full_like(images, 1.0)


def test_destruction_is_refused():
    class Case(PurifierConformance):
        def build(self):
            return Grey()

    with pytest.raises(ConformanceError, match="grey: a clean image changes by"):
        Case().test_leaves_a_picture()
