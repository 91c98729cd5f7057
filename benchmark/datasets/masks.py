"""Masks as people have them: white on what an editor keeps, black elsewhere.

Which of a file's values are meant to be white is never guessed. A mask that would keep everything
or nothing is refused, and the message names what it may have meant: values 0 and 1, dark colours of
a palette, transparency.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impress_bench.benchmark.datasets.pictures import (
    Picture,
    UnreadablePictureError,
    read_picture,
)

#: From this mean of red, green and blue on a value counts as white.
WHITE = 127.5


def read_mask(
    path: Path, max_megapixels: float = 100.0, shape: tuple[int, ...] | None = None
) -> NDArray[np.bool_]:
    """Where a mask is white, (H, W). `shape` is that of its photo, if it has one.

    Raises UnreadablePictureError for one that cannot be read, is of another shape, is white
    everywhere or nowhere, or whose transparency says something else."""
    picture = read_picture(path, max_megapixels)
    if shape is not None and picture.rgb.shape[:2] != shape[:2]:
        sizes = ["x".join(map(str, one[1::-1])) for one in (picture.rgb.shape, shape)]
        raise UnreadablePictureError(f"is {sizes[0]} and its photo {sizes[1]}")
    levels = picture.rgb.mean(axis=2)
    white: NDArray[np.bool_] = levels >= WHITE
    if white.all() or not white.any():
        what = "everything" if white.all() else "nothing"
        raise UnreadablePictureError(
            f"keeps {what}; it must be white on the head and black elsewhere{_hint(picture)}"
        )
    if _has_two_parts(picture) and not np.array_equal(white, picture.alpha >= WHITE):  # type: ignore[operator]
        raise UnreadablePictureError(
            "says one thing by its colours and another by its alpha channel; save it without alpha,"
            " white on the head and black elsewhere"
        )
    return white


def _hint(picture: Picture) -> str:
    """What else in the file may be the mask."""
    if _has_two_parts(picture):
        return ". Its alpha channel is not read: save that as a black and white image"
    highest = int(picture.rgb.max())
    if highest == 1:
        return ". Its values are 0 and 1: multiply them by 255"
    if 0 < picture.rgb.mean(axis=2).max() < WHITE:
        return f". Its brightest value is {highest} of 255: save it in black and white"
    return ""


def _has_two_parts(picture: Picture) -> bool:
    """Whether transparency tells two parts of the picture apart."""
    alpha = picture.alpha
    return alpha is not None and bool(alpha.min() < WHITE <= alpha.max())
