"""A canvas of labelled parts: what a scene is drawn on before any movement paints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 128
"""Working side in pixels, twice the side of a finished painting."""

Colour = tuple[int, int, int]
FloatArray = NDArray[np.float32]


def darker(colour: Colour, factor: float) -> Colour:
    """The colour with its channels scaled by a factor below 1."""
    red, green, blue = (int(channel * factor) for channel in colour)
    return red, green, blue


@dataclass(frozen=True)
class View:
    """How the unit square of a scene is seen: turned about its centre, magnified, moved."""

    tilt: float = 0.0
    zoom: float = 1.0
    rise: float = 0.0
    mirror: bool = False


@dataclass(frozen=True)
class Scene:
    """A drawn scene before any movement has painted it; all arrays are SIZE x SIZE.

    labels: part number of each pixel; flat, shaded: (SIZE, SIZE, 3) colours in 0..1 without
    and with light; depth: 0 near to 1 far; light: 0 lit to 1 in shadow; grain: direction in
    radians that a brush would follow; head, figure: boolean masks of a sitter; focus: (x, y)
    of the point of interest in 0..1; table: (parts, 3) flat colour of each part.
    """

    labels: NDArray[np.uint8]
    flat: FloatArray
    shaded: FloatArray
    depth: FloatArray
    light: FloatArray
    grain: FloatArray
    head: NDArray[np.bool_]
    figure: NDArray[np.bool_]
    focus: tuple[float, float]
    table: FloatArray


@dataclass(frozen=True)
class _Part:
    lit: Colour
    dark: Colour
    depth: float
    grain: float
    centre: tuple[float, float]
    toward: tuple[float, float]
    glows: bool
    head: bool
    figure: bool


class Canvas:
    """Draws shapes given in the unit square (x right, y down) as numbered parts."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._image = Image.new("L", (SIZE, SIZE), 0)
        self._draw = ImageDraw.Draw(self._image)
        self._parts: list[_Part] = []
        self.focus = (0.5, 0.5)
        self.tint = (1.0, 1.0, 1.0)

    def part(
        self,
        lit: Colour,
        dark: Colour | None = None,
        *,
        depth: float = 0.5,
        grain: float = 0.0,
        centre: tuple[float, float] = (0.5, 0.5),
        toward: tuple[float, float] = (0.5, 0.5),
        glows: bool = False,
        head: bool = False,
        figure: bool = False,
    ) -> int:
        """Register a part and return its number.

        Its colour runs from `lit` to `dark` along the vector `toward`, which reaches from
        `centre` to where the part is wholly dark. A part that glows ignores the hour's tint.
        """
        if dark is None:
            dark = (int(lit[0] * 0.68), int(lit[1] * 0.68), int(lit[2] * 0.74))
        self._parts.append(_Part(lit, dark, depth, grain, centre, toward, glows, head, figure))
        return len(self._parts) - 1

    def polygon(self, part: int, points: Sequence[tuple[float, float]]) -> None:
        """Fill a polygon with a part."""
        seen = self._to_pixels(np.asarray(points, dtype=np.float64))
        self._draw.polygon([(float(x), float(y)) for x, y in seen], fill=part)

    def rectangle(self, part: int, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fill the rectangle between two corners."""
        self.polygon(part, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def ellipse(
        self, part: int, x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0
    ) -> None:
        """Fill an ellipse about (x, y), turned by `turn` radians."""
        angles = np.linspace(0.0, 2.0 * np.pi, 28, endpoint=False)
        across, down = rx * np.cos(angles), (rx if ry is None else ry) * np.sin(angles)
        c, s = np.cos(turn), np.sin(turn)
        points = np.stack([x + c * across - s * down, y + s * across + c * down], axis=1)
        self.polygon(part, [(float(px), float(py)) for px, py in points])

    def finish(self) -> Scene:
        """Colour the parts and return the scene."""
        parts = self._parts
        labels = np.asarray(self._image, dtype=np.uint8).copy()
        x, y = self._to_scene()
        centre = np.array([p.centre for p in parts], dtype=np.float32)[labels]
        toward = np.array([p.toward for p in parts], dtype=np.float32)
        # Divided by its squared length, a dot product with `toward` is 1 where it ends.
        toward = (toward / np.maximum((toward**2).sum(1, keepdims=True), 1e-6))[labels]
        along = (x - centre[..., 0]) * toward[..., 0] + (y - centre[..., 1]) * toward[..., 1]
        light = np.clip(0.5 + 0.5 * along, 0.0, 1.0).astype(np.float32)
        tint = np.array([(1.0,) * 3 if p.glows else self.tint for p in parts])
        lit = (np.array([p.lit for p in parts]) * tint / 255.0).astype(np.float32)
        dark = (np.array([p.dark for p in parts]) * tint / 255.0).astype(np.float32)
        table = lit * 0.6 + dark * 0.4
        shaded = lit[labels] + (dark - lit)[labels] * light[..., None]
        fx, fy = self._to_pixels(np.array([self.focus]))[0] / SIZE
        return Scene(
            labels=labels,
            flat=table[labels],
            shaded=np.clip(shaded, 0.0, 1.0),
            depth=np.array([p.depth for p in parts], dtype=np.float32)[labels],
            light=light,
            grain=np.array([p.grain for p in parts], dtype=np.float32)[labels],
            head=np.array([p.head for p in parts])[labels],
            figure=np.array([p.figure for p in parts])[labels],
            focus=(float(np.clip(fx, 0.15, 0.85)), float(np.clip(fy, 0.15, 0.85))),
            table=table,
        )

    def _to_pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        view = self._view
        x, y = points[:, 0] - 0.5, points[:, 1] - 0.5 + view.rise
        if view.mirror:
            x = -x
        c, s = np.cos(view.tilt), np.sin(view.tilt)
        turned = np.stack([c * x - s * y, s * x + c * y], axis=1)
        return np.asarray((turned * view.zoom + 0.5) * SIZE)

    def _to_scene(self) -> tuple[FloatArray, FloatArray]:
        view = self._view
        axis = ((np.arange(SIZE) + 0.5) / SIZE - 0.5) / view.zoom
        across, down = np.meshgrid(axis, axis)
        c, s = np.cos(view.tilt), np.sin(view.tilt)
        x, y = c * across + s * down, -s * across + c * down
        if view.mirror:
            x = -x
        return (x + 0.5).astype(np.float32), (y + 0.5 - view.rise).astype(np.float32)
