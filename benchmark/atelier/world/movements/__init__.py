"""The art movements: each a short rule from a scene to a painted image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.artists import Artist
from impress_bench.benchmark.atelier.world.canvas import FloatArray, Scene
from impress_bench.benchmark.atelier.world.movements import (
    brushed,
    cut,
    faceted,
    inked,
    printed,
    toned,
)

Rule = Callable[[Scene, Artist, np.random.Generator], FloatArray]

RULES: Final[dict[str, Rule]] = {
    "impressionism": brushed.impressionism,
    "pointillism": brushed.pointillism,
    "expressionism": brushed.expressionism,
    "cubism": faceted.cubism,
    "low poly": faceted.low_poly,
    "stained glass": faceted.stained_glass,
    "mosaic": cut.mosaic,
    "woodcut": cut.woodcut,
    "engraving": cut.engraving,
    "ukiyo-e": printed.ukiyo_e,
    "pop art": printed.pop_art,
    "art deco": printed.art_deco,
    "ink wash": inked.ink_wash,
    "watercolor": inked.watercolor,
    "baroque": toned.baroque,
    "glitch art": toned.glitch_art,
    "photography": toned.photography,
}

__all__ = ["RULES", "Rule"]
