"""A distance that is a mean over maps of a convolutional network, of images too large for one pass.

The images go through the network in strips that overlap by more than its receptive field reaches;
of each strip's maps the part is taken that the strip alone answers for. Strips begin at multiples
of the network's total stride, so every value is the one that the whole image would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Pixels of a strip, its overlaps included, and by how many it overlaps with each neighbour:
#: AlexNet and VGG16 reach 98 pixels at most from where a value of their deepest map lies.
STRIP_PIXELS, OVERLAP = 2**20, 112
#: Every map's stride divides it.
STRIDE = 16
#: The least of a strip that is its own, lest overlaps cost more than the image.
OWN = 4 * OVERLAP


def mean_in_strips(
    maps: Callable[[Tensor, Tensor], Sequence[Tensor]],
    strides: Sequence[int],
    preds: Tensor,
    target: Tensor,
) -> Tensor:
    """The sum (1,) of the means of the maps (1, 1, h, w) that `maps` makes of an image and its
    target, both (1, 3, H, W); `strides` has pixels per value of each map."""
    axis = 2 if preds.shape[2] >= preds.shape[3] else 3
    long, short = preds.shape[axis], preds.shape[5 - axis]
    own = max(OWN, (STRIP_PIXELS // short - 2 * OVERLAP) // STRIDE * STRIDE)
    sums, counts = [preds.new_zeros(1).double() for _ in strides], [0] * len(strides)
    for start in range(0, long, own):
        first, last = max(0, start - OVERLAP), min(long, start + own + OVERLAP)
        pair = (images.narrow(axis, first, last - first) for images in (preds, target))
        for index, (found, stride) in enumerate(zip(maps(*pair), strides, strict=True)):
            size, begin = found.shape[axis], (start - first) // stride
            end = size if start + own >= long else begin + own // stride
            part = found.narrow(axis, min(begin, size), max(0, min(end, size) - begin))
            sums[index] += part.double().sum()
            counts[index] += part.numel()
    means = [total / count for total, count in zip(sums, counts, strict=True)]
    return sum(means[1:], means[0]).to(preds.dtype)
