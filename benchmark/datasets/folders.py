"""Folders of one's own images: which files are in them, what is said of each, brought to one size.

The layout is that of `datasets`' imagefolder: images in folders, and a `metadata.jsonl` with an
object a line, whose `file_name` says which image it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.pictures import (
    SUFFIXES,
    UnreadablePictureError,
    read_picture,
)

METADATA = "metadata.jsonl"


def entries(folder: Path, called: str = "") -> list[Path]:
    """What is right in `folder`, by name, hidden files left out.

    Raises PluginError, in the name of what the folder is `called`, where it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        message = f"cannot be read as a folder ({error.strerror})"
        raise PluginError(called or str(folder), message) from None


def image_files(folder: Path) -> list[Path]:
    """The image files right in `folder`, by name. Raises PluginError if two share a stem."""
    found = [path for path in entries(folder) if path.suffix.lower() in SUFFIXES]
    stems: dict[str, Path] = {}
    for path in found:
        if path.stem in stems:
            message = f"and {path.name} would have one name; rename one of them"
            raise PluginError(str(stems[path.stem]), message)
        stems[path.stem] = path
    return found


def read_metadata(folder: Path) -> dict[Path, Mapping[str, Any]]:
    """What `folder`'s metadata.jsonl says of each image, by path; nothing if there is no such file.

    Raises PluginError, naming the line, for one that is no JSON object with the `file_name` of a
    file that exists.
    """
    path = folder / METADATA
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
            file = folder / entry["file_name"]
        except (ValueError, TypeError, KeyError):
            message = 'is no JSON object with a file_name, such as {"file_name": "a.png", …}'
            raise PluginError(where, message) from None
        if not file.is_file():
            raise PluginError(where, f"file_name {entry['file_name']!r} is not there")
        found[file] = entry
    return found


def text_of(entry: Mapping[str, Any], *keys: str) -> str:
    """The first of `keys` that an entry has, as text without space around it; empty if none."""
    for key in keys:
        if text := str(entry.get(key) or "").strip():
            return text
    return ""


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


def fit_mask(pixels: NDArray[np.uint8], size: int) -> NDArray[np.bool_]:
    """Where the middle square of a mask, uint8 (H, W, 3), is white, (size, size)."""
    white: NDArray[np.bool_] = fit_square(pixels, size).mean(axis=2) >= 127.5
    return white
