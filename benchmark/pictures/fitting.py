"""Pictures of any size brought to the size that a model knows, and what was done to them back.

`resize` shows the model the whole picture, its short side at the model's, and carries the change
back enlarged: what is painted small keeps its place and its strength, in low frequencies, and fine
detail of the original is left alone. `tile` shows it the picture's own pixels in squares of the
model's size: the change is as fine as the picture, costs grow with its area, and tiles know nothing
of each other.

Pictures stay 8-bit; only what is worked on is ever held in floating point: of tiles a batch of
`BATCH_PIXELS`, of a resized picture some rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.benchmark.pixels import round_to_8bit, to_pixels, to_tensor

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
#: (shown (B, 3, h, w) in [0, 1], masks (B, h, w) or None, the first's number) -> the changed ones.
Change = Callable[[Tensor, Tensor | None, int], Tensor]
#: (changed, original), both (B, 3, h, w) in [0, 1] -> 8-bit values in [0, 1].
Rounding = Callable[[Tensor, Tensor], Tensor]

#: Sides are multiples of this part of the model's, which its U-Net can halve as often as it does.
PARTS = 4
#: A panorama's long side is squeezed to at most so many short ones.
LONGEST = 4
#: Of the tiles that are worked on at a time: one of 512 pixels, or 64 of 64.
BATCH_PIXELS = 512 * 512
#: Of the rows to which a change is carried back at a time.
STRIP_PIXELS = 2**20


def resize(
    picture: Pixels, mask: Mask | None, side: int, change: Change, rounding: Rounding
) -> Pixels:
    """A picture uint8 (H, W, 3) changed as a whole, at about `side` pixels; the change is brought
    back by interpolation. `mask` (H, W) is shown as the picture is."""
    size = _sides(picture.shape[:2], side)
    shown = round_to_8bit(_resize(to_tensor(picture[None]), size))
    masks = None
    if mask is not None:
        masks = _resize(torch.from_numpy(mask)[None, None].float(), size)[:, 0] >= 0.5
    # Differences are between 8-bit images; what rounding took from `shown` is not brought back.
    moved = _resize(change(shown, masks, 0) - shown, picture.shape[:2])
    changed = np.empty_like(picture)
    rows = max(1, STRIP_PIXELS // picture.shape[1])
    for top in range(0, len(picture), rows):
        strip = slice(top, top + rows)
        original = to_tensor(picture[None, strip])
        wanted = (original + moved[..., strip, :]).clamp(0, 1)
        changed[strip] = to_pixels(rounding(wanted, original))[0]
    return changed


def tile(
    picture: Pixels, mask: Mask | None, side: int, change: Change, rounding: Rounding
) -> Pixels:
    """A picture uint8 (H, W, 3) changed in squares of `side` pixels, as many at a time as make up
    `BATCH_PIXELS`; the last of a row or column are filled up by the mirrored or repeated edge."""
    height, width = picture.shape[:2]
    rows, columns = _covered(height, width, side)
    places = [(y, x) for y in range(0, len(rows), side) for x in range(0, len(columns), side)]
    changed = np.empty_like(picture)
    for first, batch in _batches(places, max(1, BATCH_PIXELS // side**2)):
        cuts = [np.ix_(rows[y : y + side], columns[x : x + side]) for y, x in batch]
        shown = to_tensor(np.stack([picture[cut] for cut in cuts]))
        masks = None
        if mask is not None:
            masks = torch.from_numpy(np.stack([mask[cut] for cut in cuts]))
        answer = to_pixels(rounding(change(shown, masks, first), shown))
        for (y, x), pixels in zip(batch, answer, strict=True):
            changed[y : y + side, x : x + side] = pixels[: height - y, : width - x]
    return changed


FITTINGS = {"resize": resize, "tile": tile}


def _batches(
    places: list[tuple[int, int]], count: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Consecutive parts of at most `count`, each with the number of its first place."""
    for first in range(0, len(places), count):
        yield first, places[first : first + count]


def _covered(height: int, width: int, side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which row and which column of a picture each of a whole number of tiles shows."""
    below, right = -height % side, -width % side
    mode = "reflect" if below < height and right < width else "edge"
    rows = np.pad(np.arange(height), (0, below), mode)  # type: ignore[call-overload]
    columns = np.pad(np.arange(width), (0, right), mode)  # type: ignore[call-overload]
    return rows, columns


def _sides(size: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width at which the short side is `side`, in steps of a part of it."""
    part, short = side // PARTS, min(size)
    height, width = (
        min(max(side, round(length * side / short / part) * part), LONGEST * side)
        for length in size
    )
    return height, width


def _resize(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Bilinear, averaging where it shrinks."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return interpolate(images, tuple(size), mode="bilinear", antialias=True, align_corners=False)
