"""Filters, purifiers by diffusion, and chains, against closed forms and naive loops."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from scipy.ndimage import uniform_filter
from transformers import CLIPTextConfig, CLIPTextModel

from impress_bench.attacks import (
    AdverseCleaner,
    BitDepth,
    Chain,
    DiffPure,
    GaussianNoise,
    GridPure,
    Jpeg,
    NoisyUpscaling,
    Resize,
    TotalVariation,
)
from impress_bench.attacks.gridpure import starts
from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.pixels import round_to_8bit


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def context(seed: int = 0, **more) -> Context:
    return Context(generator=torch.Generator().manual_seed(seed), **more)


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


def test_a_chain_is_its_links_in_turn(smooth_images):
    images = smooth_images(2, 32)
    made = Chain(GaussianNoise(std=0.05), Jpeg(quality=40), Resize())(images, context(3)).images
    stream = context(3)
    expected = images
    for purifier in (GaussianNoise(std=0.05), Jpeg(quality=40), Resize()):
        expected = purifier(expected, stream).images
    assert torch.equal(made, expected)
    assert "upscaler" in (Chain(Jpeg(), NoisyUpscaling()).skip("a", None) or "")
    assert Chain(Jpeg()).skip("a", None) is None
    with pytest.raises(ValueError, match="at least one"):
        Chain()


def test_diffpure_redraws_more_with_more_noise(smooth_images, model):
    images = smooth_images(2, 64)
    near, far = (
        DiffPure(strength=s, steps=20)(images, context(model=model)).images for s in (0.1, 0.6)
    )
    again = DiffPure(strength=0.1, steps=20)(images, context(model=model)).images
    assert torch.equal(near, again)
    assert (near - images).square().mean() < (far - images).square().mean()
    alone = DiffPure(strength=0.1, steps=20)(images[:1], context(model=model)).images
    assert (near[:1] - alone).abs().max() <= 1 / 255


def test_diffpure_removes_noise(smooth_images, model):
    """What is left of Gaussian noise is less than what was added."""
    images = smooth_images(2, 64)
    noisy = GaussianNoise(std=0.15)(images, context()).images
    pure = DiffPure(strength=0.15, steps=20)(noisy, context(model=model)).images
    assert (pure - images).square().mean() < 0.7 * (noisy - images).square().mean()


class Averaging(SimpleNamespace):
    """A model that makes one colour of whatever tile it is given."""

    def img2img(self, images, prompts, **settings):
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images).clone()


@pytest.mark.parametrize(("height", "width"), [(24, 20), (8, 20), (6, 5)])
def test_gridpure_averages_its_tiles(smooth_images, height, width):
    """Two iterations on tiles of 8, pixel by pixel."""
    images = smooth_images(1, 24)[..., :height, :width].contiguous()
    tile, gamma = 8, 0.1
    got = GridPure(iterations=2, gamma=gamma, tile=tile)(images, context(model=Averaging())).images
    x = images
    for _ in range(2):
        pieces = [
            [(r, c) for r in range(top, min(top + tile, height)) for c in range(left, left + tile)]
            for top in starts(height, tile)
            for left in starts(width, tile)
        ]
        pieces = [[(r, c) for r, c in piece if c < width] for piece in pieces]
        if height > tile and width > tile:
            rows = [*range(4), *range(height - 4, height)]
            pieces.append([(r, c) for r in rows for c in [*range(4), *range(width - 4, width)]])
        sums, counts = torch.zeros_like(x), torch.zeros(height, width)
        for piece in pieces:
            mean = torch.stack([x[0, :, r, c] for r, c in piece]).mean(0)
            for r, c in piece:
                sums[0, :, r, c] += mean
                counts[r, c] += 1
        x = round_to_8bit((1 - gamma) * sums / counts + gamma * x)
    assert (got - x).abs().max() <= 1 / 255 + 1e-6
    assert (got - x).abs().mean() < 0.05 / 255


def test_gridpure_on_the_atelier_stays_near(smooth_images, model):
    images = smooth_images(1, 64)
    pure = GridPure(iterations=2, strength=0.05, steps=20)(images, context(model=model)).images
    assert 0 < (pure - images).abs().mean() < 0.1


def test_noisy_upscaling_is_skipped_without_an_upscaler():
    assert "upscaler" in (NoisyUpscaling().skip("a", None) or "")
    assert NoisyUpscaling(upscaler="somewhere").skip("a", None) is None


def test_noisy_upscaling_runs_a_diffusers_upscaler(tmp_path, smooth_images, model):
    """On the pipeline's architecture with random weights: size, range, its own noise an image."""
    torch.manual_seed(0)
    width = 16
    StableDiffusionUpscalePipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(8, 8, 8),
            norm_num_groups=4,
            mid_block_add_attention=False,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(model.pipeline.tokenizer),
                hidden_size=width,
                intermediate_size=width,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=model.pipeline.tokenizer.model_max_length,
            )
        ),
        tokenizer=model.pipeline.tokenizer,
        unet=UNet2DConditionModel(
            in_channels=7,
            out_channels=4,
            block_out_channels=(8, 8),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=width,
            attention_head_dim=4,
            norm_num_groups=4,
            num_class_embeds=1000,
        ),
        low_res_scheduler=DDPMScheduler(),
        scheduler=DDIMScheduler(prediction_type="v_prediction"),
        max_noise_level=350,
    ).save_pretrained(tmp_path / "upscaler")
    purifier = NoisyUpscaling(upscaler=str(tmp_path / "upscaler"), steps=2)
    images = smooth_images(2, 16)
    purified = purifier(images, context(model=model)).images
    assert purified.shape == images.shape
    assert torch.equal(purified[:1], purifier(images[:1], context(model=model)).images)


def test_adverse_cleaner_says_what_it_needs(monkeypatch):
    monkeypatch.setattr("impress_bench.attacks.adverse_cleaner.find_spec", lambda name: None)
    assert "impress-bench[opencv]" in (AdverseCleaner().skip("a", None) or "")


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
        ("strength must", lambda: DiffPure(strength=1.5)),
        ("nothing to denoise", lambda: DiffPure(strength=0.01, steps=10)),
        ("nothing to denoise", lambda: GridPure(strength=0.01, steps=10)),
        ("strength must", lambda: GridPure(gamma=1.0)),
        ("at least", lambda: GridPure(iterations=0)),
        ("std must be", lambda: NoisyUpscaling(std=-1)),
        ("must be at least 0", lambda: AdverseCleaner(guided=-1)),
    ],
)
def test_bad_parameters(match, build):
    with pytest.raises(ValueError, match=match):
        build()
