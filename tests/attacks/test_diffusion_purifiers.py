"""Purifiers that redraw images by diffusion."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from contexts import context
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from impress_bench.attacks import (
    DiffPure,
    GaussianNoise,
    GridPure,
    NoisyUpscaling,
)
from impress_bench.attacks.gridpure import starts
from impress_bench.benchmark import load_model
from impress_bench.benchmark.pixels import round_to_8bit


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


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


@pytest.mark.parametrize(
    ("plugin", "noised_at", "passes", "std"),
    [
        (DiffPure(), 149, 15, 0.4133),
        (DiffPure(strength=0.15, steps=40), 149, 6, 0.4133),
        (GridPure(iterations=1), 9, 10, 0.0932),
        (GridPure(iterations=1, steps=100), 9, 1, 0.0932),
        (GridPure(iterations=1, strength=0.04, steps=50), 39, 2, 0.1926),
    ],
)
def test_noise_is_that_of_the_published_timestep(
    smooth_images, model, monkeypatch, plugin, noised_at, passes, std
):
    """DiffPure's t* = 150 and GrIDPure's t* = 10 of 1000, which both count from one: the noise that
    is added, at which timestep the U-Net begins, and how often it is run."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    assert std == pytest.approx((1 - np.cumprod(1 - betas)[noised_at]) ** 0.5, abs=5e-5)
    seen, stds, add_noise = [], [], DDIMScheduler.add_noise

    def added(scheduler, latents, noise, timesteps):
        noisy = add_noise(scheduler, latents, noise, timesteps)
        stds.append(float(((noisy - (1 - std**2) ** 0.5 * latents) / noise).median()))
        return noisy

    monkeypatch.setattr(DDIMScheduler, "add_noise", added)
    with model.pipeline.unet.register_forward_pre_hook(
        lambda module, given: seen.append(int(given[1].flatten()[0]))
    ):
        plugin(smooth_images(1, 64), context(model=model))
    assert stds == pytest.approx([std], rel=1e-3)
    assert (seen[0], len(seen)) == (noised_at, passes)
    assert seen == sorted(seen, reverse=True)


class Averaging(SimpleNamespace):
    """A model that makes one colour of whatever tile it is given."""

    def redraw(self, images, **settings):
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images).clone()


@pytest.mark.parametrize(("height", "width"), [(24, 20), (8, 20), (6, 5)])
def test_gridpure_averages_its_tiles(smooth_images, height, width):
    """Two iterations on tiles of 8, pixel by pixel."""
    images = smooth_images(1, 24)[..., :height, :width].contiguous()
    tile, gamma = 8, 0.1
    got = GridPure(iterations=2, gamma=gamma, tile=tile)(
        images, context(model=Averaging(side_multiple=8))
    ).images
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
    assert "upscaler" in (NoisyUpscaling().skip(None) or "")
    assert "there is nothing of that name" in NoisyUpscaling(upscaler="somewhere").skip(None)


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


@pytest.mark.parametrize(
    ("match", "build"),
    [
        ("strength must", lambda: DiffPure(strength=1.5)),
        ("nothing to denoise", lambda: DiffPure(strength=0.01, steps=10)),
        ("nothing to denoise", lambda: GridPure(strength=0.01, steps=10)),
        ("strength must", lambda: GridPure(gamma=1.0)),
        ("at least", lambda: GridPure(iterations=0)),
        ("std must be", lambda: NoisyUpscaling(std=-1)),
    ],
)
def test_bad_parameters(match, build):
    with pytest.raises(ValueError, match=match):
        build()
