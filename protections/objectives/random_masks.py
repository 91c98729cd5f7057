"""Masks that are drawn smaller than they are, for editors that draw theirs differently."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import interpolate

#: Of the contour's corrugations, as a share of the mask's radius: DiffusionGuard's
#: contour_smoothness.
SMOOTHNESS = 0.1
#: DiffusionGuard's contour_iters; drawn are 1 to one less.
MOVES = 15
#: Of the images that these are published for, in px.
SIDE = 512


def depths(kept: Tensor) -> Tensor:
    """How far each pixel lies inside `kept`, in pixels: its distance to the nearest pixel outside,
    (B, 1, H, W). Infinite where a mask keeps everything."""
    found = torch.full_like(kept, torch.inf)
    for depth, mask in zip(found, kept, strict=True):
        if not bool(mask.all()):
            inside = distance_transform_edt(mask[0].cpu().numpy())
            depth.copy_(torch.from_numpy(inside)[None])
    return found


def shrunk(depth: Tensor, strength: float, generators: Sequence[torch.Generator]) -> Tensor:
    """Masks (B, 1, H, W) whose contours lie a random way inside those of which `depth` (B, 1, H, W)
    is the depth, each drawn from its own generator.

    DiffusionGuard moves the points of a contour 1 to 14 times, each time by offsets that are
    uniform up to `strength` * U(0, R) in either axis and smoothed along the contour by a Gaussian
    of 0.1 R, and takes back those that leave the mask; R = sqrt(pi / 2 * area). Here the contour
    recedes, by the sum of the positive ones among as many normal draws of the deviation that those
    offsets have at 512 px, drawn at points 0.2 R apart, the distance over which they are
    correlated, and interpolated between. A mask that would vanish stays as it is.
    """
    masks = []
    for deep, generator in zip(depth[:, 0], generators, strict=True):
        mask = (deep > 0).to(depth)
        spread = float(torch.rand((), generator=generator))
        count = int(torch.randint(1, MOVES, (), generator=generator))
        smoothing = SMOOTHNESS * float((torch.pi / 2 * mask.sum()).sqrt())
        if smoothing > 0 and bool(deep.isfinite().all()):
            reach = strength * spread * smoothing / SMOOTHNESS
            averaged = 2 * torch.pi**0.5 * smoothing * SIDE / max(deep.shape)
            deviation = reach / 3**0.5 / max(1.0, averaged) ** 0.5
            sides = [max(2, round(side / (2 * smoothing)) + 1) for side in deep.shape]
            moves = torch.randn(count, *sides, generator=generator).clamp(min=0).sum(0)
            receded = interpolate(
                deviation * moves[None, None], deep.shape, mode="bilinear", align_corners=True
            )[0, 0]
            smaller = (deep > receded.to(deep)).to(depth)
            mask = smaller if bool(smaller.any()) else mask
        masks.append(mask)
    return torch.stack(masks)[:, None]
