"""Marks and colour arithmetic that movements are built of; images are (SIZE, SIZE, 3) in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from impress_bench.benchmark.atelier.world.canvas import SIZE, Colour, FloatArray

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

_YY, _XX = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)


def grid() -> tuple[FloatArray, FloatArray]:
    """Pixel coordinates (x, y), each SIZE x SIZE; not to be written to."""
    return _XX, _YY


def ink(colour: Colour) -> FloatArray:
    """An 8-bit colour as an array of shape (3,) in 0..1."""
    return np.asarray(colour, dtype=np.float32) / np.float32(255.0)


def luma(image: FloatArray) -> FloatArray:
    """Brightness of the last axis's colour."""
    return np.asarray(image @ _LUMA)


def mix(a: FloatArray, b: FloatArray, amount: float | FloatArray) -> FloatArray:
    """Run from a to b; an amount of image shape holds for all three channels."""
    weight = np.asarray(amount, dtype=np.float32)
    if weight.ndim == 2:
        weight = weight[..., None]
    return np.asarray(a + (b - a) * weight, dtype=np.float32)


def grade(
    image: FloatArray, hue: float = 0.0, saturation: float = 1.0, value: float = 1.0
) -> FloatArray:
    """Turn hues by `hue` turns about the grey axis, scale saturation, then brightness."""
    grey = luma(image)[..., None]
    chroma = (image - grey) * np.float32(saturation)
    if hue:
        c, s = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
        # Rodrigues' rotation about (1, 1, 1) keeps greys grey at any angle.
        off = s / np.sqrt(3.0)
        keep, spread = c, (1.0 - c) / 3.0
        matrix = np.full((3, 3), spread) + keep * np.eye(3)
        matrix += off * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
        chroma = chroma @ matrix.T.astype(np.float32)
    return np.asarray(np.clip((grey + chroma) * np.float32(value), 0.0, 1.0), dtype=np.float32)


def ramp(tone: FloatArray, stops: Sequence[Colour]) -> FloatArray:
    """Colour brightness 0..1 by evenly spaced stops from dark to light."""
    places = np.linspace(0.0, 1.0, len(stops))
    table = np.asarray(stops, dtype=np.float32) / 255.0
    channels = [np.interp(tone, places, table[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def nearest_inks(table: FloatArray, inks: Sequence[Colour]) -> FloatArray:
    """Replace each row of a colour table by the nearest of the inks."""
    palette = np.asarray(inks, dtype=np.float32) / 255.0
    distance = ((table[:, None] - palette[None]) ** 2 * (_LUMA + 0.2)).sum(-1)
    return np.asarray(palette[distance.argmin(1)])


def soften(image: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur over the two image axes."""
    sigmas = (sigma, sigma, 0.0) if image.ndim == 3 else (sigma, sigma)
    return np.asarray(ndimage.gaussian_filter(image, sigmas, truncate=2.5), dtype=np.float32)


def outline(labels: NDArray[np.uint8] | NDArray[np.int64], width: int) -> FloatArray:
    """1 on borders between labels, `width` pixels wide, and 0 elsewhere."""
    high = ndimage.maximum_filter(labels, size=width, mode="nearest")
    low = ndimage.minimum_filter(labels, size=width, mode="nearest")
    return np.asarray(high != low, dtype=np.float32)


def cloudiness(rng: np.random.Generator, cells: int) -> FloatArray:
    """Smooth noise in 0..1 with about `cells` bumps a side."""
    coarse = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32)


def sample(image: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """The image's nearest pixels at coordinates that may lie outside of it."""
    column = np.clip(np.rint(x), 0, SIZE - 1).astype(np.intp)
    row = np.clip(np.rint(y), 0, SIZE - 1).astype(np.intp)
    return np.asarray(image[row, column])


def scatter(rng: np.random.Generator, pitch: float, jitter: float = 0.5) -> FloatArray:
    """Points of shape (N, 2), as (x, y), on a jittered grid that overhangs the border."""
    axis = np.arange(-pitch / 2, SIZE + pitch, pitch)
    x, y = np.meshgrid(axis, axis)
    x = x + (np.arange(len(axis)) % 2)[:, None] * (pitch / 2)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    return (points + rng.uniform(-jitter, jitter, points.shape) * pitch).astype(np.float32)


def cells(points: FloatArray) -> NDArray[np.int64]:
    """Index of the nearest point for every pixel: Voronoi cells."""
    square = (points**2).sum(1)
    pixels = np.stack([_XX.ravel(), _YY.ravel()], axis=1)
    return np.asarray((square - 2.0 * pixels @ points.T).argmin(1).reshape(SIZE, SIZE))


def cell_means(image: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    """Mean colour of every cell, of shape (cells, 3)."""
    flat, count = index.ravel(), int(index.max()) + 1
    size = np.maximum(np.bincount(flat, minlength=count), 1)
    sums = [np.bincount(flat, image[..., c].ravel(), count) / size for c in range(3)]
    return np.stack(sums, axis=1).astype(np.float32)


def brush(
    ground: FloatArray,
    points: FloatArray,
    colours: FloatArray,
    angles: FloatArray,
    length: float,
    width: float,
    bend: float = 0.0,
) -> FloatArray:
    """Lay lens-shaped strokes over the ground in the order of the points.

    points: (N, 2); colours: (N, 3); angles: (N,) radians; `bend` bows each stroke sideways by
    that share of its length.
    """
    along = np.array([-0.5, -0.3, 0.0, 0.3, 0.5, 0.3, 0.0, -0.3]) * length
    across = np.array([0.0, 0.45, 0.5, 0.45, 0.0, -0.45, -0.5, -0.45]) * width
    across = across + bend * length * (1.0 - (along / (0.5 * length)) ** 2)
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x = points[:, :1] + c * along - s * across
    y = points[:, 1:] + s * along + c * across
    outlines = np.stack([x, y], axis=-1).reshape(len(points), -1).tolist()
    fills = np.rint(np.clip(colours, 0, 1) * 255).astype(int).tolist()
    picture = Image.fromarray(np.rint(np.clip(ground, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for shape, fill in zip(outlines, fills, strict=True):
        draw.polygon(shape, fill=tuple(fill))
    return np.asarray(picture, dtype=np.float32) / np.float32(255.0)
