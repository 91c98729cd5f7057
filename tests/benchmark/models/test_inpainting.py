"""The inpainting chain: the pipeline's own answer, with a gradient, in little memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.seeds import per_image_generators


def inpainter(dtype=torch.float32):
    """The embedded model, its inpainting parts in `dtype`."""
    model = load_model("atelier")
    for part in (model.pipeline.vae, model.pipeline.text_encoder, model.inpainting_unet):
        part.to(dtype)
    return model


def photos(count=2, dtype=torch.float32):
    works = [
        world.paint(world.artists(movement="photography")[i], "portrait", "heldout", 0)
        for i in range(count)
    ]
    images = torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2)
    return images.to(dtype) / 255, torch.from_numpy(np.stack([w.head_mask for w in works]))


def streams(count=2, seed=0):
    return per_image_generators(torch.Generator().manual_seed(seed), count)


def test_a_model_without_inpainting_says_what_to_do():
    model, (images, keep) = replace(load_model("atelier"), inpainting_unet=None), photos()
    with pytest.raises(ValueError, match="inpainting/unet"):
        inpainting_chain(model, images, keep, streams(), steps=1)
    with pytest.raises(ValueError, match="inpainting/unet"):
        model.repaint(images, keep, ["", ""], streams(), steps=1, guidance_scale=1.0, eta=0.0)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_the_chain_is_the_pipeline_s(checkpointing):
    model, (images, keep) = inpainter(), photos()
    chained = inpainting_chain(
        model, images, keep, streams(), steps=3, checkpointing=checkpointing
    ).clamp(0, 1)
    painted = model.repaint(images, keep, [""] * 2, streams(), steps=3, guidance_scale=1.0, eta=1.0)
    # Rounding in float32 differs between CPUs, by up to 1.3e-5; another order of draws gives 1.
    assert (chained - painted).abs().max() < 1e-4
    assert painted.std() > 0.01


def test_gradient_through_two_steps_equals_finite_differences():
    model, (images, keep) = inpainter(torch.float64), photos(1, torch.float64)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()

    def value(at):
        return inpainting_chain(model, at, keep, streams(1), steps=2).square().sum()

    point = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    step = 1e-5
    with torch.no_grad():
        difference = value(images + step * direction) - value(images - step * direction)
    expected = (difference / (2 * step)).item()
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-5)
    assert (gradient * ~keep[:, None]).abs().max() == 0
    assert gradient.abs().max() > 0


def test_an_image_is_repainted_alike_in_any_batch():
    model, (images, keep) = inpainter(), photos()
    settings = {"steps": 2, "guidance_scale": 2.0, "eta": 1.0}
    together = model.repaint(images, keep, ["on a beach"] * 2, streams(), **settings)
    alone = model.repaint(images[1:], keep[1:], ["on a beach"], streams()[1:], **settings)
    assert (together[1:] - alone).abs().max() < 1e-5
