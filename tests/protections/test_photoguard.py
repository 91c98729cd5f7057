"""PhotoGuard's two objectives: what they measure, where they move, that they succeed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from contexts import context
from PIL import Image

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import PhotoGuardDiffusion, PhotoGuardEncoder, RandomNoise


def streams(count=2, seed=0):
    return per_image_generators(torch.Generator().manual_seed(seed), count)


@pytest.fixture(scope="module")
def photos():
    works = [
        world.paint(world.artists(movement="photography")[i], "portrait", "heldout", 0)
        for i in range(2)
    ]
    images = torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(np.stack([w.head_mask for w in works]))


@pytest.fixture(scope="module")
def inpainter():
    return load_model("atelier")


@pytest.mark.parametrize("target", ["grey", "noise", "zero", "a file"])
def test_encoder_loss_is_the_squared_latent_distance(inpainter, photos, target, tmp_path):
    images, keep = photos
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "aim.png")
    plugin = PhotoGuardEncoder(target=str(tmp_path / "aim.png") if target == "a file" else target)
    state = plugin.prepare(images, context(model=inpainter, masks=keep), streams())
    aims = {
        "grey": torch.full_like(images, 0.5),
        "noise": torch.stack([torch.rand(3, 64, 64, generator=g) for g in streams()]),
        "a file": torch.from_numpy(pixels).permute(2, 0, 1)[None].expand(2, -1, -1, -1) / 255,
    }
    masked = images.clone()
    masked[~keep[:, None].expand_as(images)] = 0.5
    latents = inpainter.encode(masked)
    aim = inpainter.encode(aims[target]) if target in aims else 0 * latents
    expected = [((a - b) ** 2).sum().item() for a, b in zip(latents, aim, strict=True)]
    assert plugin.loss(state, images, 0, streams()).tolist() == pytest.approx(expected, rel=1e-4)


def test_a_target_that_is_no_image_is_named(inpainter, photos, tmp_path):
    (tmp_path / "note.txt").write_text("not a picture")
    for target in ("black", str(tmp_path / "note.txt")):
        with pytest.raises(PluginError, match=f"photoguard-encoder: target '{target}' is none of"):
            PhotoGuardEncoder(target=target)(photos[0], context(model=inpainter))


def test_the_encoder_attacks_step_decays_as_in_both_notebooks():
    """step - (step - step / 100) / steps * i, at the released 0.01 and 1000 on [-1, 1] pixels."""
    solver = PhotoGuardEncoder().solver
    rates = [2 * solver.rate(i) for i in (0, 1, 500, 999)]
    assert rates == pytest.approx([0.01 - (0.01 - 0.01 / 100) / 1000 * i for i in (0, 1, 500, 999)])


def test_encoder_moves_the_head_alone_and_further_than_noise(inpainter, photos):
    images, keep = photos
    plugin = PhotoGuardEncoder(linf=8 / 255, step=1 / 255, steps=30)
    protected = plugin(images, context(model=inpainter, masks=keep))
    outside = ~keep[:, None].expand_as(images)
    assert torch.equal(protected.images[outside], images[outside])
    assert (protected.linf <= 8 / 255 + 1e-6).all()
    state = plugin.prepare(images, context(model=inpainter, masks=keep), streams())
    signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(3)).sign()
    noisy = (images + signs * keep[:, None] * 8 / 255).clamp(0, 1)
    with torch.no_grad():
        clean, noise, attacked = (
            plugin.loss(state, x, 0, streams()) for x in (images, noisy, protected.images)
        )
    assert (clean - attacked > 2 * (clean - noise).abs()).all()


@pytest.mark.parametrize("source", ["paper", "released"])
def test_diffusion_loss_is_the_chain_s_distance_to_grey(inpainter, photos, source):
    images, keep = photos
    plugin = PhotoGuardDiffusion(source=source, diffusion_steps=2)
    state = plugin.prepare(images, context(model=inpainter, masks=keep), streams())
    made = 2 * inpainting_chain(inpainter, images, keep, streams(), steps=2) - 1
    expected = [(image**2).sum().item() for image in made]
    if source == "released":
        expected = [value**0.5 for value in expected]
    assert plugin.loss(state, images, 0, streams()).tolist() == pytest.approx(expected, rel=1e-4)


def test_diffusion_attack_lowers_its_loss_within_l2(inpainter, photos):
    images, keep = photos
    plugin = PhotoGuardDiffusion(radius=1.0, step=0.3, steps=6, repeats=2, diffusion_steps=2)
    protected = plugin(images, context(model=inpainter, masks=keep))
    outside = ~keep[:, None].expand_as(images)
    assert torch.equal(protected.images[outside], images[outside])
    assert (protected.l2 <= 1.0 + 1e-5).all()
    assert (protected.l2 > 0.5).all()
    state = plugin.prepare(images, context(model=inpainter, masks=keep), streams())
    with torch.no_grad():
        before, after = (
            sum(plugin.loss(state, x, 0, streams(seed=seed)) for seed in range(4))
            for x in (images, protected.images)
        )
    assert (after < before).all()


def test_without_masks_all_of_an_image_may_move(inpainter, photos):
    images, _ = photos
    protected = PhotoGuardEncoder(steps=1)(images, context(model=inpainter))
    moved = (protected.images != images).float().mean((0, 1))
    assert moved.min() > 0
    plugin = PhotoGuardDiffusion(steps=1, repeats=1, diffusion_steps=1, radius=1.0, step=0.5)
    assert (plugin(images, context(model=inpainter)).l2 > 0.1).all()


def test_a_model_that_cannot_inpaint_is_a_reason_to_skip(inpainter, photos):
    model = replace(inpainter, inpainting_unet=None)
    with pytest.raises(PluginError, match=r"photoguard-diffusion: .*inpainting/unet") as caught:
        PhotoGuardDiffusion(steps=1)(photos[0], context(model=model))
    assert caught.value.state is State.SKIPPED


def test_noise_can_be_kept_to_the_mask(inpainter, photos):
    images, keep = photos
    results = {"photoguard-encoder": PhotoGuardEncoder(steps=2)(images, context(model=inpainter))}
    noisy = RandomNoise(match="photoguard-encoder", within="mask")(
        images, context(model=None, masks=keep, results=results)
    )
    outside = ~keep[:, None].expand_as(images)
    assert torch.equal(noisy.images[outside], images[outside])
    assert (noisy.linf > 0).all()
    with pytest.raises(ValueError, match="within must be"):
        RandomNoise(within="head")


def test_bad_parameters():
    for match, build in {
        "norm must be": lambda: PhotoGuardDiffusion(norm="l1"),
        "source must be": lambda: PhotoGuardDiffusion(source="code"),
    }.items():
        with pytest.raises(ValueError, match=match):
            build()
