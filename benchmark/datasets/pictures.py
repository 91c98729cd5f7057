"""Image files as people have them, read as 8-bit RGB with what else is to be kept.

Every still image that Pillow reads is taken: grey, palette, RGBA, 16-bit, CMYK; EXIF rotation is
carried out; transparency and an RGB colour profile are kept. Of files that hold previews of their
image beside it (a phone's MPO, a camera's TIFF) the image itself is read; animations and stacks of
pages are refused, since nobody knows which one is meant.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# fmt: off
SUFFIXES = frozenset((
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
))
#: Images of kinds that are not read: whoever has them is to know that they are missing.
UNREAD = frozenset((
    ".arw", ".cr2", ".cr3", ".dng", ".exr", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".orf",
    ".psd", ".raw", ".rw2", ".svg", ".tga", ".xcf",
))
# fmt: on
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L")
#: TIFF's tag NewSubfileType, and its bit for a smaller version of another image of the file.
SUBFILE, REDUCED = 254, 1
_limit = threading.Lock()


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
        with warnings.catch_warnings(), _own_limit():
            warnings.simplefilter("ignore")  # on sizes and odd metadata: judged here
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                _refuse_size(image, max_megapixels)
                _choose_frame(image)
                _refuse_size(image, max_megapixels)
                image.load()
                return _picture(ImageOps.exif_transpose(image))
    except UnreadablePictureError:
        raise
    except UnidentifiedImageError:
        raise UnreadablePictureError("no image format that Pillow knows") from None
    except MemoryError:
        raise UnreadablePictureError("does not fit into memory") from None
    except Exception as error:  # decoders raise whatever a broken file makes them stumble over
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        if "MAX_TEXT" in message:
            message = "it holds more text than Pillow takes; save it again without metadata"
        raise UnreadablePictureError(f"cannot be read ({message})") from error


@contextmanager
def _own_limit() -> Iterator[None]:
    """Pillow's limit on pixels put aside: it is lower than a user may allow, and judges before the
    size can be read."""
    with _limit:
        pillows, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = pillows


def _refuse_size(image: Image.Image, max_megapixels: float) -> None:
    """Judge by the header, before anything is decoded."""
    width, height = image.size
    if not width or not height:
        raise UnreadablePictureError(f"has no pixels: {width} x {height}")
    if width * height > max_megapixels * 1e6:
        raise UnreadablePictureError(
            f"{width} x {height} is above the limit of {max_megapixels:g} megapixels; make it"
            " smaller, or raise the limit of protect and purify with --max-megapixels"
        )


def _choose_frame(image: Image.Image) -> None:
    """Turn to the one image of a file that may hold several. An MPO's first is the photo, its
    others are previews or other views; of a TIFF's those count that are no smaller versions."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1:
        return
    if image.format == "MPO":
        image.seek(0)
        return
    if image.format == "TIFF":
        whole = [at for at in range(frames) if not _is_reduced(image, at)]
        if len(whole) == 1:
            image.seek(whole[0])
            return
        raise UnreadablePictureError(f"is a stack of {len(whole) or frames} images; split it")
    raise UnreadablePictureError(f"is an animation of {frames} images; save the one that is meant")


def _is_reduced(image: Image.Image, frame: int) -> bool:
    image.seek(frame)
    return bool(int(image.tag_v2.get(SUBFILE, 0)) & REDUCED)  # type: ignore[attr-defined]


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
