"""Passes through networks, counted against what an algorithm is known to need."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.attacks import Impress
from impress_bench.benchmark import load_model
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.protections import Glaze, PhotoGuardEncoder


@pytest.fixture
def environment():
    return Environment({"target": "atelier"})


def test_impress_needs_one_pass_a_step_and_image(environment, smooth_images):
    model, images = environment.model("target"), smooth_images(3, 64)
    with environment.stage(1, "test"):
        Impress(steps=4, lpips_budget=0.0)(images, context(model=model))
    assert environment.passes == {
        "encoder forward": 12, "encoder backward": 12,
        "decoder forward": 12, "decoder backward": 12,
        "lpips forward": 15, "lpips backward": 12,  # the protected images' features once
    }  # fmt: skip


def test_glaze_encodes_its_target_once(environment, smooth_images):
    model, images = environment.model("target"), smooth_images(2, 64)
    glaze = Glaze(steps=6, p=0.5, transfer_steps=2, strength=1.0, linf=16 / 255)
    with environment.stage(1, "test"):
        glaze(images, context(model=model))
    counts = environment.passes
    assert counts["encoder backward"] == 12
    assert "lpips backward" not in counts  # no image exceeds its soft budget
    # The image to redraw and the redrawn one; the clean image's features for the hinge, and two
    # more for the measured budget.
    assert counts["encoder forward"] == 12 + 4
    assert counts["lpips forward"] == 12 + 2 + 4
    assert counts["decoder forward"] == 2


def test_an_encoder_attack_needs_no_decoder(environment, smooth_images):
    model, images = environment.model("target"), smooth_images(2, 64)
    with environment.stage(1, "test"):
        PhotoGuardEncoder(steps=5)(images, context(model=model))
    counts = environment.passes
    assert counts["encoder backward"] == 10
    assert counts["encoder forward"] == 12  # and the target once
    assert "decoder forward" not in counts
    assert counts["lpips forward"] == 4  # the budget is measured, on both sides


@pytest.mark.parametrize("rank", [None, 2])
def test_copies_for_fine_tuning_count(environment, smooth_images, rank):
    model, images = environment.model("target"), smooth_images(2, 64)
    with environment.stage(1, "test"):
        fine_tune(
            model, images, ["a", "b"], steps=3, lr=1e-4, batch_size=5, lora_rank=rank,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
    assert environment.passes["unet forward"] == 15
    assert environment.passes["unet backward"] == 15


def test_each_stage_begins_at_nothing(environment, smooth_images):
    model = environment.model("target")
    for _ in range(2):
        with environment.stage(1, "test"):
            model.encode(smooth_images(1, 64))
        assert environment.passes == {"encoder forward": 1}


def test_counting_changes_no_gradient(smooth_images):
    images = smooth_images(1, 64)
    slopes = []
    for model in (load_model("atelier"), Environment({"target": "atelier"}).model("target")):
        x = images.clone().requires_grad_(True)
        slopes.append(torch.autograd.grad(model.reconstruct(x).square().sum(), x)[0])
    assert torch.equal(*slopes)
