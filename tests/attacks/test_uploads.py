"""What becomes of an upload, against Pillow and coordinates written out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from contexts import context
from PIL import Image
from scipy.ndimage import map_coordinates

from impress_bench.attacks import Crop, Resize, Rotation
from impress_bench.benchmark.harness.config.loading import load_preset


def to_bytes(image):
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_crop_is_pillows_crop_enlarged(smooth_images, share):
    images = smooth_images(2, 64)[..., :47]
    height, width = round(64 * share), round(47 * share)
    top, left = (64 - height) // 2, (47 - width) // 2
    for image, ours in zip(images, Crop(share=share)(images, context()).images, strict=True):
        centre = Image.fromarray(to_bytes(image)).crop((left, top, left + width, top + height))
        expected = np.asarray(centre.resize((47, 64), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(to_bytes(ours) - expected).max() <= 1
        assert np.abs(to_bytes(image) - expected).max() > 8


def nearest(side, new):
    """Which of `side` pixels each of `new` shows: the one that its centre lies in."""
    return [int(Fraction(2 * at + 1, 2) * side / new) for at in range(new)]


def test_a_screenshot_shows_each_pixel_or_drops_it(smooth_images):
    images = (smooth_images(1, 64) + 0.1 * torch.randn(1, 3, 64, 64))[..., :39].clamp(0, 1)
    shot = Resize(factor=0.8, interpolation="nearest")(images, context()).images[0]
    rows, columns = (
        [nearest(side, new)[i] for i in nearest(new, side)] for side, new in ((64, 51), (39, 31))
    )
    picture = to_bytes(images[0])
    assert np.array_equal(to_bytes(shot), picture[np.ix_(rows, columns)])
    pillow = Image.fromarray(picture)
    for size in ((31, 51), (39, 64)):
        pillow = pillow.resize(size, Image.Resampling.NEAREST)
    # Beside Pillow, which rounds where a centre falls between two pixels, in a row or two.
    assert (to_bytes(shot) != np.asarray(pillow)).mean() < 0.06


def turned(image, degrees):
    """(H, W) read at coordinates rotated about the centre, between pixels bilinearly."""
    middle = (np.array(image.shape) - 1) / 2
    rows, columns = np.indices(image.shape) - middle[:, None, None]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    at = (cos * rows + sin * columns + middle[0], cos * columns - sin * rows + middle[1])
    return map_coordinates(image, at, order=1, mode="constant")


@pytest.mark.parametrize("degrees", [2.0, 22.5, 45.0])
def test_rotation_reads_turned_coordinates_twice(smooth_images, degrees):
    images = smooth_images(2, 40)[..., :23].double()
    ours = Rotation(degrees=degrees).purify(images, context())
    for channel, mine in zip(images.flatten(0, 1).numpy(), ours.flatten(0, 1).numpy(), strict=True):
        canvas = np.pad(channel, 40, mode="edge")
        expected = turned(turned(canvas, degrees), -degrees)[40:-40, 40:-40]
        assert np.abs(mine - expected).max() < 1e-6
    flat = torch.full((1, 3, 24, 24), 77 / 255)
    assert torch.equal(Rotation(degrees=degrees)(flat, context()).images, flat)


def test_rows_of_the_preset_have_the_names_that_it_gives():
    """A title stands beside a spec as cells have it: spelt otherwise it would be nobody's."""
    preset = load_preset("uploads")
    titles = preset.display["titles"]
    assert set(titles) <= {str(spec) for spec in preset.specs("purifiers")}
    assert all(">" in name or "[" in name for name in titles)


@pytest.mark.parametrize(
    ("match", "build"),
    [
        ("share must", lambda: Crop(share=1)),
        ("degrees must", lambda: Rotation(degrees=0)),
        ("bilinear or nearest", lambda: Resize(interpolation="lanczos")),
    ],
)
def test_bad_parameters(match, build):
    with pytest.raises(ValueError, match=match):
        build()
