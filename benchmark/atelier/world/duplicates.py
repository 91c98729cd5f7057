"""Near duplicates: pairs of images that look alike when seen small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIDE = 16


def near_duplicates(
    images: NDArray[np.uint8], others: NDArray[np.uint8], threshold: float = 0.18
) -> list[tuple[int, int]]:
    """Pairs (i, j) of `images[i]` and `others[j]` that look alike.

    Both are (N, 64, 64, 3) uint8. Compared are 16 x 16 thumbnails brought to zero mean and unit
    deviation; `threshold` bounds their root-mean-square distance, where unrelated images lie
    near 1.4 and one image with a little noise near 0.1.
    """
    a, b = _thumbnails(images), _thumbnails(others)
    if not len(a) or not len(b):
        return []
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * a @ b.T
    distance = np.sqrt(np.maximum(squared, 0.0) / a.shape[1])
    return [(int(i), int(j)) for i, j in np.argwhere(distance < threshold)]


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    count, height, width = images.shape[:3]
    blocks = images.reshape(count, _SIDE, height // _SIDE, _SIDE, width // _SIDE, 3)
    small = blocks.astype(np.float32).mean(axis=(2, 4)).reshape(count, _SIDE * _SIDE * 3)
    small -= small.mean(axis=1, keepdims=True)
    # The floor keeps blank images, which have no pattern, from being blown up into noise.
    return np.asarray(small / np.maximum(small.std(axis=1, keepdims=True), 1.0))
