"""Images as notebooks and scripts have them: arrays, tensors, PIL images, files and folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.datasets.pictures import (
    SUFFIXES,
    UNREAD,
    UnreadablePictureError,
    read_picture,
)
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.junk import is_junk

Array = NDArray[np.generic]
One = Array | torch.Tensor | Image.Image | str | Path
#: One image or several; see `read_images`.
Images = One | Sequence[One]
Pixels = NDArray[np.uint8]

#: Modes of PIL images that hold 8-bit values, which conversion to RGB keeps.
EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def read_images(images: Images) -> ImageSet:
    """Images of one size as uint8 (N, H, W, 3), with their names.

    Parameters:
        images: One of these, or a list of them:
            an array (H, W, 3) or (N, H, W, 3), uint8 or floating in [0, 1];
            a tensor (3, H, W) or (N, 3, H, W), uint8 or floating in [0, 1];
            a PIL image; the path of an image file, or of a folder, whose image files are taken in
            the order of their names.

    Names are those of files without suffix, else numbers from 000. Floating values are rounded to
    the nearest 8-bit level. Raises ConfigError, with the remedy, for anything else, for images of
    unlike sizes, and for transparency, which the result cannot keep.
    """
    found = named_pixels(images)
    if not found:
        raise ConfigError("images: there is none")
    sizes = {pixels.shape[:2]: name for name, pixels in reversed(found)}
    if len(sizes) > 1:
        listed = ", ".join(f"{h} x {w} ({name})" for (h, w), name in reversed(sizes.items()))
        raise ConfigError(
            f"images: they have unlike sizes, height x width: {listed}; call once per size, resize"
            " them, or use `impress-bench protect` and `purify`, which fit any size to the model"
        )
    return ImageSet(np.stack([pixels for _, pixels in found]), _unique([name for name, _ in found]))


def named_pixels(images: Images) -> list[tuple[str, Pixels]]:
    """Each image, with the name of its file or "" for none."""
    if isinstance(images, str | Path):
        return _files(Path(images))
    if isinstance(images, Image.Image):
        return [("", pil_pixels(images))]
    if isinstance(images, torch.Tensor):
        return [("", pixels) for pixels in _tensor(images)]
    if isinstance(images, np.ndarray):
        return [("", pixels) for pixels in _array(images)]
    if isinstance(images, Sequence):
        return [each for one in images for each in named_pixels(one)]
    raise ConfigError(
        f"images: {type(images).__name__} is not understood; pass an array, a tensor, PIL images,"
        " paths or a folder"
    )


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """A name per image: its file's, or its number; names that come twice are numbered."""
    times = Counter(names)
    return tuple(
        name if name and times[name] == 1 else f"{name}{'-' if name else ''}{at:03d}"
        for at, name in enumerate(names)
    )


def _files(path: Path) -> list[tuple[str, Pixels]]:
    if not path.exists():
        raise ConfigError(f"images: {path} does not exist")
    files = image_files(path, "images") if path.is_dir() else [path]
    found = []
    for file in files:
        try:
            picture = read_picture(file)
        except UnreadablePictureError as error:
            raise ConfigError(f"images: {file}: {error}") from None
        if picture.alpha is not None:
            _refuse_transparency(str(file), picture.alpha)
        found.append((file.stem, picture.rgb))
    return found


def image_files(folder: Path, what: str) -> list[Path]:
    """The image files of a folder. Raises ConfigError if there is none, and for images of kinds
    that are not read, which would be missing otherwise."""
    inside = [path for path in sorted(folder.iterdir()) if not is_junk(path.name)]
    if unread := [path for path in inside if path.suffix.lower() in UNREAD]:
        raise ConfigError(f"{what}: {unread[0]}: {unread[0].suffix} is not read; convert it to PNG")
    files = [path for path in inside if path.suffix.lower() in SUFFIXES]
    if not files:
        raise ConfigError(f"{what}: {folder} holds no image ({', '.join(sorted(SUFFIXES))})")
    return files


def pil_pixels(image: Image.Image) -> Pixels:
    """A PIL image as uint8 (H, W, 3), upright. Raises ConfigError."""
    if image.mode not in EIGHT_BIT:
        raise ConfigError(
            f"images: a PIL image of mode {image.mode} does not hold 8-bit colours; convert it, or"
            " pass the path of its file"
        )
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        _refuse_transparency("a PIL image", np.asarray(upright.convert("RGBA"))[..., 3])
    return np.asarray(upright.convert("RGB")).copy()


def _refuse_transparency(what: str, alpha: Pixels) -> None:
    """An opaque layer is nothing that could be lost."""
    if alpha.min() < 255:
        raise ConfigError(
            f"images: {what} is partly transparent, which arrays do not keep; drop it by"
            " .convert('RGB'), or use `impress-bench protect` and `purify`, which keep it"
        )


def _tensor(images: torch.Tensor) -> Pixels:
    shape = tuple(images.shape)
    if images.ndim not in (3, 4) or shape[-3] != 3:
        hint = "; permute it" if shape[-1:] == (3,) else ""
        raise ConfigError(f"images: a tensor must be (3, H, W) or (N, 3, H, W), not {shape}{hint}")
    given = images.detach().cpu().permute(*range(images.ndim - 3), -2, -1, -3)
    return _array((given.float() if images.is_floating_point() else given).numpy())


def _array(images: Array) -> Pixels:
    """One array, of one image or of several, as uint8 (N, H, W, 3)."""
    shape = images.shape
    if images.ndim not in (3, 4) or shape[-1] != 3 or 0 in shape:
        hint = ""
        if images.ndim == 2:
            hint = "; repeat its grey by np.stack([image] * 3, axis=-1)"
        elif images.ndim in (3, 4) and shape[-3] == 3:
            hint = "; move its channels to the end by np.moveaxis(images, -3, -1)"
        elif shape[-1:] == (4,):
            hint = "; drop its transparency by images[..., :3]"
        raise ConfigError(f"images: an array must be (H, W, 3) or (N, H, W, 3), not {shape}{hint}")
    batch = images.reshape(-1, *shape[-3:])
    if batch.dtype == np.uint8:
        return np.array(batch, np.uint8)
    if not np.issubdtype(batch.dtype, np.floating):
        raise ConfigError(f"images: values must be uint8 or floating, not {batch.dtype}")
    values = batch.astype(np.float64)
    if not np.isfinite(values).all():
        raise ConfigError("images: some values are NaN or infinite")
    low, high = values.min(), values.max()
    if low < -1e-6 or high > 1 + 1e-6:
        likely = "divide by 255, or convert to uint8, if they are 8-bit levels"
        if low < 0:
            likely = "(x + 1) / 2 if they are on [-1, 1]"
        raise ConfigError(
            f"images: floating values must lie in [0, 1], not [{low:.4g}, {high:.4g}]; {likely}"
        )
    return np.rint(values * 255).clip(0, 255).astype(np.uint8)
