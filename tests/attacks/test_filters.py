"""Filters against closed forms and naive loops."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from contexts import context
from scipy.ndimage import uniform_filter

from impress_bench.attacks import (
    AdverseCleaner,
    BitDepth,
    TotalVariation,
)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_bit_depth_leaves_the_nearest_levels(smooth_images, bits):
    images = smooth_images(1, 32)
    levels = torch.arange(2**bits) / (2**bits - 1)
    nearest = levels[(images[..., None] - levels).abs().argmin(-1)]
    assert (BitDepth(bits=bits)(images, context()).images - nearest).abs().max() <= 0.5 / 255 + 1e-6


def test_total_variation_falls_and_flat_images_stay(smooth_images):
    def variation(images):
        return sum(images.diff(dim=dim).abs().sum() for dim in (-1, -2))

    images = (smooth_images(2, 32) + 0.1 * torch.randn(2, 3, 32, 32)).clamp(0, 1)
    weak, strong = (TotalVariation(weight=w)(images, context()).images for w in (0.05, 0.3))
    assert variation(strong) < variation(weak) < variation(images)
    flat = torch.full((1, 3, 16, 16), 77 / 255)
    assert torch.equal(TotalVariation()(flat, context()).images, flat)
    alone = TotalVariation(weight=0.05)(images[1:], context()).images
    assert torch.equal(weak[1:], alone)


def test_adverse_cleaner_says_what_it_needs(monkeypatch):
    monkeypatch.setattr("impress_bench.attacks.adverse_cleaner.find_spec", lambda name: None)
    assert "impress-bench[opencv]" in (AdverseCleaner().skip(None) or "")


def bilateral(image, radius=2, sigma=8.0):
    """Weights by Gaussians of the distance and of the colours' summed absolute difference, in a
    disc, over (H, W, 3) mirrored at its edges (Tomasi and Manduchi 1998, as OpenCV has it)."""
    height, width, _ = image.shape
    padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], mode="reflect")
    sums, weights = np.zeros_like(image), np.zeros((height, width, 1))
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx > radius * radius:
                continue
            other = padded[radius + dy :, radius + dx :][:height, :width]
            colours = np.abs(other - image).sum(-1, keepdims=True)
            weight = np.exp(-(dy * dy + dx * dx + colours**2) / (2 * sigma**2))
            sums, weights = sums + weight * other, weights + weight
    return sums / weights


def guided(guide, image, radius=4, eps=16.0):
    """Each channel as a linear function of the guide's three, fitted in every window, the fits
    averaged (He, Sun, Tang 2013, Eqs. 19 to 21)."""

    def box(values):
        size = (2 * radius + 1,) * 2 + (1,) * (values.ndim - 2)
        return uniform_filter(values, size, mode="reflect")

    outer = guide[..., :, None] * guide[..., None, :]
    means, mean = box(guide), box(image)
    covariance = box(outer) - means[..., :, None] * means[..., None, :] + eps * np.eye(3)
    both = box(guide[..., :, None] * image[..., None, :])
    slopes = np.linalg.solve(covariance, both - means[..., :, None] * mean[..., None, :])
    offsets = mean - np.einsum("hwg,hwgc->hwc", means, slopes)
    return np.einsum("hwg,hwgc->hwc", guide, box(slopes)) + box(offsets)


@pytest.mark.skipif(not importlib.util.find_spec("cv2"), reason="needs the extra [opencv]")
def test_adverse_cleaner_is_the_filters_written_out(smooth_images):
    noise = 0.02 * torch.randn(1, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    images = (smooth_images(1, 24)[..., :20] + noise).clamp(0, 1)
    cleaned = AdverseCleaner(bilateral=6, guided=2).purify(images, context())

    start = 255 * images[0].permute(1, 2, 0).double().numpy()
    expected = start
    for _ in range(6):
        expected = bilateral(expected)
    for _ in range(2):
        expected = guided(start, expected)
    got = 255 * cleaned[0].permute(1, 2, 0).double().numpy()
    assert np.abs(got - np.clip(expected, 0, 255)).max() < 1e-2


@pytest.mark.skipif(not importlib.util.find_spec("cv2"), reason="needs the extra [opencv]")
def test_adverse_cleaner_removes_faint_noise_and_keeps_flat_images():
    flat = torch.full((1, 3, 16, 16), 77 / 255)
    assert torch.equal(AdverseCleaner()(flat, context()).images, flat)
    noise = 0.01 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    left = AdverseCleaner()(flat + noise, context()).images - flat
    assert left.std() < 0.5 * noise.std()


@pytest.mark.parametrize(
    ("match", "build"),
    [
        ("bits must be", lambda: BitDepth(bits=9)),
        ("weight must be", lambda: TotalVariation(weight=0)),
        ("must be at least 0", lambda: AdverseCleaner(guided=-1)),
    ],
)
def test_bad_parameters(match, build):
    with pytest.raises(ValueError, match=match):
        build()
