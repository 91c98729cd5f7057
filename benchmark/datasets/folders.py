"""Folders of one's own images: which files are in them, and how they are brought to one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.masks import WHITE
from impress_bench.benchmark.datasets.pictures import (
    SUFFIXES,
    UNREAD,
    UnreadablePictureError,
    read_picture,
)
from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.texts import composed


def entries(folder: Path, called: str = "") -> list[Path]:
    """What is right in `folder`, by name; hidden files and what systems leave behind apart.

    Raises PluginError, in the name of what the folder is `called`, where it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_junk(path.name))
    except OSError as error:
        message = f"cannot be read as a folder ({error.strerror})"
        raise PluginError(called or str(folder), message) from None


def image_files(folder: Path) -> list[Path]:
    """The image files right in `folder`, by name. Raises PluginError if two share a stem, or one is
    of a kind that is not read."""
    found = []
    stems: dict[str, Path] = {}
    for path in entries(folder):
        if path.suffix.lower() in UNREAD:
            raise PluginError(str(path), "is of a kind that is not read; convert it to PNG")
        if path.suffix.lower() not in SUFFIXES:
            continue
        stem = composed(path.stem)
        if stem in stems:
            message = f"and {path.name} would have one name; rename one of them"
            raise PluginError(str(stems[stem]), message)
        stems[stem] = path
        found.append(path)
    return found


def named(folder: Path, name: str) -> Path:
    """What is called `name` in `folder`, however its accents are written there."""
    return next((path for path in entries(folder) if composed(path.name) == name), folder / name)


def read(source: Path | bytes, called: str = "") -> NDArray[np.uint8]:
    """An image as uint8 (H, W, 3), from a file or from the bytes of one. Raises PluginError, in the
    name of what the image is `called`, where it cannot be read."""
    try:
        return read_picture(source).rgb
    except UnreadablePictureError as error:
        raise PluginError(called or str(source), str(error)) from None


def fit_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle square of an image, uint8 (H, W, 3), at `size` pixels a side; bilinear, as in the
    paper's released code."""
    fitted = ImageOps.fit(Image.fromarray(pixels), (size, size), Image.Resampling.BILINEAR)
    return np.asarray(fitted).copy()


def fit_mask(white: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Where the middle square of a mask (H, W) is true, (size, size)."""
    levels = np.repeat(white[..., None].astype(np.uint8) * 255, 3, axis=2)
    fitted: NDArray[np.bool_] = fit_square(levels, size)[..., 0] >= WHITE
    return fitted
