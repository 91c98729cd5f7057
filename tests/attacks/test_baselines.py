"""The paper's baselines, against Pillow and closed forms."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from contexts import context
from PIL import Image

from impress_bench.attacks import (
    GaussianNoise,
    Jpeg,
    NoPurifier,
    Resize,
    VaeRoundTrip,
)
from impress_bench.benchmark.contract import PluginError


def test_none_changes_nothing(smooth_images) -> None:
    images = smooth_images(2, 32)
    assert torch.equal(NoPurifier()(images, context()).images, images)


@pytest.mark.parametrize("quality", [15, 60])
def test_jpeg_equals_pillow(smooth_images, quality) -> None:
    images = smooth_images(2, 40)[:, :, :33]  # sides that no block divides
    purified = Jpeg(quality=quality)(images, context()).images
    for image, ours in zip(images, purified, strict=True):
        pixels = (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file))
        assert np.array_equal((ours * 255).round().byte().permute(1, 2, 0).numpy(), expected)
        assert not np.array_equal(expected, pixels)
    assert Jpeg().quality == 15


def test_noise_has_its_std_and_no_mean() -> None:
    grey = torch.full((2, 3, 128, 128), 128 / 255)
    noise = GaussianNoise(std=0.1)(grey, context()).images - grey
    assert noise.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.1, 0.1], rel=0.01)
    assert noise.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0], abs=0.002)
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.02
    assert GaussianNoise().std ** 2 == pytest.approx(0.15)


def test_noise_depends_on_seed_not_on_batching(smooth_images) -> None:
    images, noise = smooth_images(3, 32), GaussianNoise(std=0.1)
    together = noise(images, context()).images
    alone = context()
    parts = [noise(part, alone).images for part in images.split([1, 2])]
    assert torch.equal(torch.cat(parts), together)
    assert not torch.equal(noise(images, context(seed=1)).images, together)


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_resize_is_near_pillows(smooth_images, mode) -> None:
    images = smooth_images(1, 64)
    purified = Resize(interpolation=mode)(images, context()).images[0]
    picture = Image.fromarray((images[0] * 255).round().byte().permute(1, 2, 0).numpy())
    method = Image.Resampling[mode.upper()]
    expected = np.asarray(picture.resize((32, 32), method).resize((64, 64), method))
    ours = (purified * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).max() <= 2  # Pillow rounds between the passes
    assert np.abs(ours - np.asarray(picture)).max() > 2


def test_resize_removes_a_checkerboard() -> None:
    board = (torch.arange(32).view(-1, 1) + torch.arange(32)).remainder(2).float()
    purified = Resize()(board.expand(1, 3, 32, 32), context()).images
    assert (purified[..., 4:-4, 4:-4] - 0.5).abs().max() < 0.01
    kept = Resize(factor=0.97)(board.expand(1, 3, 32, 32), context()).images
    assert kept.std() > 10 * purified.std()


def test_vae_round_trip_is_the_reconstruction(tiny_model, smooth_images) -> None:
    model, images = tiny_model(torch.float32), smooth_images(2, 32)
    with torch.no_grad():
        expected = (model.reconstruct(images).clamp(0, 1) * 255).round() / 255
    assert torch.equal(VaeRoundTrip()(images, context(model=model)).images, expected)
    with pytest.raises(PluginError, match="vae-round-trip: needs a model"):
        VaeRoundTrip()(images, context())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Jpeg(quality=0), "quality must be 1 to 95"),
        (lambda: GaussianNoise(std=-1), "std must be at least 0"),
        (lambda: Resize(factor=1), "factor must lie between 0 and 1"),
    ],
)
def test_bad_parameters(build, message) -> None:
    with pytest.raises(ValueError, match=message):
        build()
