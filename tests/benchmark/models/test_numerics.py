"""Lower precision, compiling and checkpointing: what they may change, and what they may not."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch

from impress_bench.attacks import Impress
from impress_bench.benchmark import Context, load_model
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.numerics import Numerics

NOISY, TIMESTEPS, PROMPTS = (2, 4, 16, 16), torch.tensor([50, 700]), ["a boat", "a red house"]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def plain():
    return load_model("atelier")


@pytest.fixture(scope="module")
def half():
    return load_model("atelier", numerics=Numerics("bfloat16"))


@torch.no_grad()
def predicted(model):
    return model.predict(torch.randn(NOISY, generator=seeded()), TIMESTEPS, model.embed(PROMPTS))


def test_the_u_net_computes_in_bfloat16_and_nothing_else_does(plain, half, smooth_images):
    images = smooth_images(2, 64)
    assert torch.equal(half.reconstruct(images), plain.reconstruct(images))
    assert torch.equal(*(m.embed(PROMPTS).tensors["text"] for m in (half, plain)))
    expected, found = predicted(plain), predicted(half)
    assert found.dtype == torch.float32
    error = (found - expected).norm() / expected.norm()
    assert 1e-4 < error < 3e-2  # bfloat16 has 8 bits: 2**-9 a rounding, and some that add up
    kinds = {parameter.dtype for parameter in half.pipeline.unet.parameters()}
    assert kinds == {torch.float32}
    inputs = torch.randn(NOISY, generator=seeded()), TIMESTEPS, plain.embed(PROMPTS).tensors["text"]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(plain.pipeline.unet(*inputs).sample.float(), found)


def test_a_copy_computes_as_the_original_does(half):
    """Fine-tuning learns on a copy."""
    unet = copy.deepcopy(half.pipeline.unet)
    inputs = torch.randn(NOISY, generator=seeded()), TIMESTEPS, half.embed(PROMPTS).tensors["text"]
    with torch.no_grad():
        assert torch.equal(unet(*inputs).sample, half.pipeline.unet(*inputs).sample)


def test_what_learns_stays_float32_under_float16(plain):
    """Its gradients would need their loss scaled; bfloat16's range is float32's."""
    images, prompts = torch.rand(2, 3, 64, 64, generator=seeded()), ["a", "b"]
    options = {"steps": 2, "lr": 1e-3, "batch_size": 2}
    learned = {
        name: fine_tune(model, images, prompts, generator=seeded(), **options)
        for name, model in {
            "plain": plain,
            "float16": load_model("atelier", numerics=Numerics("float16")),
            "bfloat16": load_model("atelier", numerics=Numerics("bfloat16")),
        }.items()
    }
    weights = {
        name: torch.cat([p.flatten() for p in model.pipeline.unet.parameters()])
        for name, model in learned.items()
    }
    assert torch.equal(weights["float16"], weights["plain"])
    assert not torch.equal(weights["bfloat16"], weights["plain"])
    assert (weights["bfloat16"] - weights["plain"]).abs().max() < 4e-3  # two steps of 1e-3 each way


def test_adapters_learn_in_lower_precision_too(plain, half):
    images, prompts = torch.rand(2, 3, 64, 64, generator=seeded()), ["a", "b"]
    options = {"steps": 2, "lr": 1e-3, "batch_size": 2, "lora_rank": 2}
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    moved = [
        fine_tune(model, images, prompts, generator=seeded(), **options).pipeline.unet.state_dict()[
            name
        ]
        - plain.pipeline.unet.state_dict()[name]
        for model in (plain, half)
    ]
    assert moved[0].norm() > 0
    assert 0 < (moved[0] - moved[1]).norm() < 0.5 * moved[0].norm()


@pytest.mark.parametrize("chain", ["vae", "ldm"])
def test_checkpointing_changes_no_bit_of_a_gradient(plain, smooth_images, chain):
    spared = load_model("atelier", numerics=Numerics(checkpointing=True))
    gradients = []
    for model in (plain, spared):
        images = smooth_images(1, 64).requires_grad_(True)
        error = model.reconstruct(images, chain, steps=6, generator=seeded()) - images
        error.square().sum().backward()
        gradients.append(images.grad)
    assert gradients[0].abs().max() > 0
    assert torch.equal(*gradients)


def test_checkpointing_remembers_less(smooth_images):
    """Values kept for the way back, counted: U-Net, encoder and decoder keep none of theirs."""
    kept = {}
    for checkpointing in (False, True):
        model = load_model("atelier", numerics=Numerics(checkpointing=checkpointing))
        count = 0

        def pack(tensor):
            nonlocal count
            count += tensor.numel()
            return tensor

        images = smooth_images(1, 64).requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.reconstruct(images, "ldm", steps=6, generator=seeded())
        kept[checkpointing] = count
    assert kept[True] < kept[False] / 20


def test_compiled_networks_are_compiled_and_compute_the_same(plain, smooth_images, monkeypatch):
    """By a backend that generates no code, which would take minutes."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    compiled = load_model("atelier", numerics=Numerics(compiled=True))
    images = smooth_images(1, 64)
    made = Impress(steps=1)(images, Context(model=compiled, generator=seeded())).images
    assert torch.equal(
        made, Impress(steps=1)(images, Context(model=plain, generator=seeded())).images
    )
    through_vae = len(graphs)
    assert through_vae >= 2  # encoder and decoder
    torch.testing.assert_close(predicted(compiled), predicted(plain))
    assert len(graphs) > through_vae


def test_a_run_computes_as_its_preset_says_and_stores_it_apart():
    asked = {"precision": "bfloat16", "checkpointing": True}
    preset = load_preset("quick")
    plans = [make_plan(p, Registry()) for p in (preset, preset.override({}, numerics=asked))]
    keys = [set(plan.stages) for plan in plans]
    assert len(keys[0]) == len(keys[1])
    assert not keys[0] & keys[1]
    told = [{stage.document["dtype"] for stage in plan.stages.values()} for plan in plans]
    assert told == [{"float32"}, {"bfloat16 checkpointing"}]
    numerics = plans[1].preset.numerics.chosen()
    model = Environment({"target": "atelier"}, numerics=numerics).model("target")
    assert model.numerics == Numerics("bfloat16", checkpointing=True)


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="unknown precision 'float8'"):
        Numerics("float8")
