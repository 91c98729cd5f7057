"""DiffusionGuard: its loop written out, and the masks that it draws."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import DiffusionGuard
from impress_bench.protections.objectives.random_masks import depths, shrunk


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def discs():
    """Two discs (2, 64, 64) of radius 20 and 12."""
    place = torch.arange(64) - 31.5
    distance = (place[:, None] ** 2 + place**2).sqrt()
    return torch.stack([distance < 20, distance < 12])


def test_the_loop_is_the_released_one(model, smooth_images, discs):
    """One image at a time on [-1, 1] pixels, with the draws in the order of ours."""
    images = smooth_images(2, 64)
    protection = DiffusionGuard(steps=3, step=1 / 255)
    given = context(5, model=model, masks=discs)
    got = protection.solver.solve(protection, images, given)
    streams = per_image_generators(torch.Generator().manual_seed(5), 2)
    for image, stream, disc, made in zip(images, streams, discs, got, strict=True):
        source = adv = 2 * image[None] - 1
        depth = depths(disc[None, None].float())
        for _ in range(3):
            mask = 1 - shrunk(depth, 1.1, [stream])
            masked = (adv * (mask < 0.5)).requires_grad_(True)
            posterior = model.pipeline.vae.encode(masked).latent_dist
            drawn = torch.randn(posterior.mean.shape[1:], generator=stream)
            z = model.latent_scale * (posterior.mean + posterior.std * drawn)
            z_T = torch.randn(posterior.mean.shape[1:], generator=stream)[None]
            small = torch.nn.functional.interpolate(mask, z.shape[-2:])
            scheduler = model.ddim()
            scheduler.set_timesteps(4)
            predicted = model.inpainting_unet(
                torch.cat([z_T, small, z], 1),
                scheduler.timesteps[0],
                encoder_hidden_states=model.embed([""]).tensors["text"],
            ).sample
            (slope,) = torch.autograd.grad(-predicted.norm(p=2), masked)
            adv = adv - (slope * (1 - mask)).sign() * 2 / 255
            adv = torch.clamp(adv, source - 16 / 255, source + 16 / 255).clamp(-1, 1)
        assert ((adv[0] + 1) / 2 - made).abs().max() < 1e-5
        assert (made - image).abs().max() > 1 / 255


def test_masks_shrink_within_themselves_and_differ(discs):
    depth = depths(discs[:, None].float())
    areas = []
    for seed in range(30):
        streams = per_image_generators(torch.Generator().manual_seed(seed), 2)
        masks = shrunk(depth, 1.1, streams)[:, 0].bool()
        assert not (masks & ~discs).any()
        assert masks.flatten(1).any(1).all()
        areas.append(masks.sum((1, 2)) / discs.sum((1, 2)))
    shares = torch.stack(areas)
    assert 0.3 < shares.mean() < 0.9
    assert (shares.std(0) > 0.05).all()


def test_masks_that_keep_everything_or_do_not_shrink_stay(discs):
    streams = per_image_generators(torch.Generator().manual_seed(0), 2)
    whole = torch.ones(2, 1, 8, 8)
    assert torch.equal(shrunk(depths(whole), 1.1, streams), whole)
    kept = discs[:, None].float()
    assert torch.equal(shrunk(depths(kept), 0.0, streams), kept)


@pytest.mark.parametrize("more", [{"shrinking": -0.1}, {"diffusion_steps": 0}, {"linf": 8}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        DiffusionGuard(**more)
