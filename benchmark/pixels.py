"""Checking and rounding images at the border between plugins and the benchmark."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from impress_bench.benchmark.contract import PluginError, Protected, Purified


def check_images(plugin: str, what: str, images: object, like: Tensor | None = None) -> Tensor:
    """`images` if they are a floating (B, 3, H, W) tensor of finite values in [0, 1].

    `what` ("input", "output") and `plugin` go into the message; with `like` the shape must be its
    shape. Values up to 1e-6 outside the range pass as rounding. Raises PluginError, with the likely
    way out.
    """
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        hint = "; pass its .images" if isinstance(images, Protected | Purified) else ""
        raise PluginError(plugin, f"{what} must be a torch.Tensor, not {kind}{hint}")
    if images.dtype not in (torch.float32, torch.float64):
        hint = "convert it with .to(images.dtype)"
        if not images.is_floating_point():
            hint = "convert it with .float() / 255"
        message = f"{what} must be float32 or float64, not {images.dtype}; {hint}"
        raise PluginError(plugin, message)
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise PluginError(plugin, f"{what} must be (B, 3, H, W), not {tuple(images.shape)}")
    if like is not None and images.shape != like.shape:
        shapes = f"{tuple(like.shape)}, not {tuple(images.shape)}"
        raise PluginError(plugin, f"{what} must have the shape of its input, {shapes}")
    if not images.isfinite().all():
        bad = images.numel() - int(images.isfinite().sum())
        raise PluginError(plugin, f"{what} holds {bad} NaN or infinite values")
    low, high = float(images.min()), float(images.max())
    if low < -1e-6 or high > 1 + 1e-6:
        hint = _likely_scale(low, high)
        raise PluginError(plugin, f"{what} must lie in [0, 1], not [{low:.4g}, {high:.4g}]; {hint}")
    return images


def _likely_scale(low: float, high: float) -> str:
    """What brings values between `low` and `high` into [0, 1], to judge by them."""
    if 1.5 < high <= 256 and low >= -1:
        return "divide by 255 if they are 8-bit levels"
    if -1.5 <= low < -0.1 and high <= 1.5:
        return "(x + 1) / 2 if they are on [-1, 1], .clamp(0, 1) if they only overshoot"
    return "clip it with .clamp(0, 1)"


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 (N, H, W, 3) as float32 (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float() / 255


def to_pixels(images: Tensor) -> np.ndarray:
    """Images (N, 3, H, W) in [0, 1] as the nearest uint8 (N, H, W, 3)."""
    pixels: np.ndarray = (images * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def round_to_8bit(images: Tensor) -> Tensor:
    """The nearest 8-bit values, as float32 in [0, 1]."""
    return (images * 255).round().clamp(0, 255).float() / 255


def round_toward(images: Tensor, originals: Tensor, tolerance: float = 1e-3) -> Tensor:
    """8-bit values between `originals` and `images`, nearest to `images`, as float32 in [0, 1].

    `originals` hold 8-bit values. No value moves away from its original, so rounding never breaks
    an L-infinity budget. A change within `tolerance` levels of a whole level counts as that level.
    """
    levels = (originals.double() * 255).round()
    change = images.double() * 255 - levels
    change = change.sign() * (change.abs() + tolerance).floor()
    return (levels + change).clamp(0, 255).float() / 255
