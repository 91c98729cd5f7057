"""Image files as people have them, read as 8-bit RGB with what else is to be kept.

Every file that Pillow reads is taken: grey, palette, RGBA, 16-bit, CMYK; EXIF rotation is carried
out; transparency and an RGB colour profile are kept.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# fmt: off
SUFFIXES = frozenset((
    ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff",
    ".webp",
))
# fmt: on
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L")


class UnreadablePictureError(Exception):
    """A file that cannot be used; the message says why, its name is the caller's to add."""


@dataclass(frozen=True)
class Picture:
    """`rgb` is uint8 (H, W, 3), `alpha` None or uint8 (H, W), `profile` an ICC profile."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    profile: bytes | None = None


def read_picture(source: Path | bytes, max_megapixels: float = 100.0) -> Picture:
    """The picture of a file, or of the bytes of one, upright. Raises UnreadablePictureError for
    what cannot be one."""
    try:
        if not (len(source) if isinstance(source, bytes) else source.stat().st_size):
            raise UnreadablePictureError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on sizes and odd metadata: judged here
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                _refuse(image, max_megapixels)
                image.load()
                return _picture(ImageOps.exif_transpose(image))
    except UnreadablePictureError:
        raise
    except UnidentifiedImageError:
        raise UnreadablePictureError("no image format that Pillow knows") from None
    except Image.DecompressionBombError:
        raise UnreadablePictureError(_too_large(max_megapixels)) from None
    except MemoryError:
        raise UnreadablePictureError("does not fit into memory") from None
    except Exception as error:  # decoders raise whatever a broken file makes them stumble over
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UnreadablePictureError(f"cannot be read ({message})") from error


def _refuse(image: Image.Image, max_megapixels: float) -> None:
    """Judge by the header, before anything is decoded."""
    width, height = image.size
    if not width or not height:
        raise UnreadablePictureError(f"has no pixels: {width} x {height}")
    if width * height > max_megapixels * 1e6:
        raise UnreadablePictureError(f"{width} x {height} {_too_large(max_megapixels)}")
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnreadablePictureError(f"is an animation or a stack of {frames} images; split it")


def _too_large(limit: float) -> str:
    return f"is above the limit of {limit:g} megapixels; raise it with --max-megapixels"


def _picture(image: Image.Image) -> Picture:
    if image.mode in SIXTEEN_BIT:
        grey = np.asarray(image).astype(np.float64)
        # Read as 32-bit integers, 16-bit files keep their range; others have none that is known.
        if grey.min() < 0 or grey.max() > 65535:
            raise UnreadablePictureError("has 32-bit values, whose range nobody knows")
        levels = np.rint(grey / 257).astype(np.uint8)
        return Picture(np.repeat(levels[..., None], 3, axis=2))
    if image.mode == "F":
        raise UnreadablePictureError("has floating-point values, whose range nobody knows")
    # A profile of another colour space would be wrong beside RGB values.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return Picture(rgba[..., :3].copy(), rgba[..., 3].copy(), profile)
    return Picture(np.asarray(image.convert("RGB")).copy(), None, profile)
