"""Scenes of the five subjects, drawn from the phrases of a title."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.canvas import Canvas, Scene, View
from impress_bench.benchmark.atelier.world.scenes.city import draw_city
from impress_bench.benchmark.atelier.world.scenes.landscape import draw_landscape
from impress_bench.benchmark.atelier.world.scenes.portrait import draw_portrait
from impress_bench.benchmark.atelier.world.scenes.seascape import draw_seascape
from impress_bench.benchmark.atelier.world.scenes.still_life import draw_still_life

_DRAW: Final[dict[str, Callable[[Canvas, Mapping[str, str], np.random.Generator, float], None]]] = {
    "landscape": draw_landscape,
    "seascape": draw_seascape,
    "still life": draw_still_life,
    "portrait": draw_portrait,
    "city": draw_city,
}


def draw_scene(
    subject: str, phrases: Mapping[str, str], view: View, rng: np.random.Generator, sun: float
) -> Scene:
    """Draw the scene that the phrases tell of; `sun` magnifies sun, moon and lamps."""
    canvas = Canvas(view)
    _DRAW[subject](canvas, phrases, rng, sun)
    return canvas.finish()


__all__ = ["draw_scene"]
