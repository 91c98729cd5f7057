"""Fine-tuning by low-rank adapters, against a naive loop that writes them out as products."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest
import torch

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.models import fine_tuning, low_rank
from impress_bench.benchmark.models.fine_tuning import fine_tune

PROJECTIONS = ("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight")
PROMPTS = ["a landscape by Nobody Known"] * 3
OPTIONS = {"steps": 3, "lr": 1e-2, "batch_size": 2}


@pytest.fixture(scope="module")
def images():
    works = world.paintings(world.artists("pretrain")[0], "heldout", 3)
    return torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).double() / 255


@pytest.fixture(scope="module")
def model():
    """In float64: Adam divides by tiny numbers, and ranks are told from rounding."""
    model = load_model("atelier")
    for module in (model.pipeline.vae, model.pipeline.unet, model.pipeline.text_encoder):
        module.double()
    return model


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(model):
    return {name: value.clone() for name, value in model.pipeline.unet.state_dict().items()}


def factors(unet):
    """(A, B) of each weight that has adapters."""
    state = unet.state_dict()
    return {
        name.replace(".lora_A.default", ""): (a.clone(), state[name.replace("_A.", "_B.")].clone())
        for name, a in state.items()
        if ".lora_A." in name
    }


@pytest.fixture
def seen(monkeypatch):
    """The factors as they are drawn, and as they are when they are merged."""
    found = {}

    def add(unet, targets, rank, generator):
        learning = low_rank.add_adapters(unet, targets, rank, generator)
        found["drawn"] = factors(unet)
        return learning

    def merge(unet):
        found["merged"] = factors(unet)
        low_rank.merge_adapters(unet)

    monkeypatch.setattr(fine_tuning, "add_adapters", add)
    monkeypatch.setattr(fine_tuning, "merge_adapters", merge)
    return found


def test_only_attention_learns_and_by_no_more_than_the_rank(model, images):
    before = weights(model)
    learned = fine_tune(model, images, PROMPTS, lora_rank=3, generator=seeded(), **OPTIONS)
    assert list(weights(learned)) == list(before)
    changed = set()
    for name, value in weights(learned).items():
        assert torch.equal(model.pipeline.unet.state_dict()[name], before[name])
        if not torch.equal(value, before[name]):
            changed.add(name)
            assert torch.linalg.matrix_rank(value - before[name], rtol=1e-8) == 3
    assert changed == {name for name in before if name.endswith(PROJECTIONS)}


def test_what_is_added_is_the_product_of_the_averaged_factors(model, images, seen):
    """Three steps against a naive loop; an average's decay is (1 + s) / (10 + s), 0 at first."""
    learned = fine_tune(model, images, PROMPTS, lora_rank=2, generator=seeded(), **OPTIONS)

    unet, base, generator = copy.deepcopy(model.pipeline.unet).train(), weights(model), seeded()
    torch.randint(2**63 - 1, (1,), generator=generator)  # what the factors are drawn by
    pairs = {name: [f.requires_grad_() for f in pair] for name, pair in seen["drawn"].items()}
    flat = [factor for pair in pairs.values() for factor in pair]
    optimizer = torch.optim.AdamW(flat, lr=1e-2, weight_decay=1e-2)
    average = [factor.detach().clone() for factor in flat]
    posterior = model.pipeline.vae.encode(2 * images - 1).latent_dist
    alphas = model.pipeline.scheduler.alphas_cumprod.double()
    for decay in (0, 2 / 11, 3 / 12):
        index = torch.randint(3, (2,), generator=generator)
        jitter, noise = torch.randn((2, 2, 4, 16, 16), generator=generator).double()
        timesteps = torch.randint(1000, (2,), generator=generator)
        latents = posterior.mean[index] + posterior.std[index] * jitter
        signal = alphas[timesteps].sqrt()[:, None, None, None] * model.latent_scale
        spread = (1 - alphas[timesteps]).sqrt()[:, None, None, None]
        noisy = signal * latents + spread * noise
        moved = {name: base[name] + b @ a for name, (a, b) in pairs.items()}
        asked = (noisy, timesteps, model.embed(PROMPTS[:2]).tensors["text"])
        predicted = torch.func.functional_call(unet, moved, asked).sample
        optimizer.zero_grad()
        (predicted - noise).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(flat, 1.0)
        optimizer.step()
        for mean, factor in zip(average, flat, strict=True):
            mean.mul_(decay).add_(factor.detach(), alpha=1 - decay)

    got = weights(learned)
    for at, name in enumerate(pairs):
        a, b = average[2 * at : 2 * at + 2]
        torch.testing.assert_close(got[name] - base[name], b @ a, atol=1e-6, rtol=0)
        a, b = seen["merged"][name]  # alpha / r is 1
        torch.testing.assert_close(got[name], base[name] + b @ a, atol=1e-12, rtol=0)
        assert (b @ a).abs().max() > 1e-3


def test_factors_begin_as_diffusers_trainer_s_do(model):
    unet = copy.deepcopy(model.pipeline.unet)
    learning = low_rank.add_adapters(unet, model.lora_targets, 8, seeded())
    drawn = factors(unet)
    assert set(drawn) == {name for name in weights(model) if name.endswith(PROJECTIONS)}
    assert len(learning) == 2 * len(drawn)
    assert sum(map(torch.numel, learning)) == sum(a.numel() + b.numel() for a, b in drawn.values())
    assert all(a.shape[0] == b.shape[1] == 8 and not b.any() for a, b in drawn.values())
    everything = torch.cat([a.flatten() for a, _ in drawn.values()])
    assert everything.std().item() == pytest.approx(1 / 8, rel=0.02)
    within = (everything.abs() < 1 / 8).double().mean().item()
    assert within == pytest.approx(0.683, abs=0.01)  # a Gaussian's; of a uniform one 0.577


def test_the_loss_on_the_training_images_falls(model, images):
    learned = fine_tune(
        model, images, PROMPTS, steps=40, lr=3e-3, batch_size=3, lora_rank=4, generator=seeded()
    )
    scaled = model.encode(images) * model.latent_scale
    timesteps = torch.arange(50, 950, 100).repeat_interleave(3)
    noise = torch.randn((len(timesteps), *scaled.shape[1:]), generator=seeded(5)).double()
    noisy = model.pipeline.scheduler.add_noise(scaled.repeat(9, 1, 1, 1), noise, timesteps)
    with torch.no_grad():
        before, after = (
            (m.predict(noisy, timesteps, m.embed(PROMPTS * 9)) - noise).square().mean().item()
            for m in (model, learned)
        )
    assert after < 0.95 * before


def test_parts_of_a_batch_are_the_batch(model, images):
    whole, parts = (
        weights(
            fine_tune(
                model, images, PROMPTS, steps=3, lr=1e-2, batch_size=3, lora_rank=2,
                microbatch=size, generator=seeded(),
            )
        )
        for size in (None, 2)
    )  # fmt: skip
    for name, value in whole.items():
        torch.testing.assert_close(value, parts[name], atol=1e-8, rtol=0)


def test_a_result_depends_on_the_generator_alone(model, images, seen):
    results, drawn = [], []
    for torchs_own, seed in ((1, 0), (2, 0), (1, 9)):
        torch.manual_seed(torchs_own)
        state = torch.get_rng_state()
        generator = seeded(seed)
        learned = fine_tune(model, images, PROMPTS, lora_rank=2, generator=generator, **OPTIONS)
        assert torch.equal(torch.get_rng_state(), state)
        results.append(torch.cat([value.flatten() for value in weights(learned).values()]))
        drawn.append(torch.cat([a.flatten() for a, _ in seen["drawn"].values()]))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_what_is_left_is_a_plain_unet(model, images):
    """Of the classes it had, to be copied and to learn again."""
    learned = fine_tune(model, images, PROMPTS, lora_rank=2, generator=seeded(), **OPTIONS)
    kinds = [
        [(name, type(part)) for name, part in m.pipeline.unet.named_modules()]
        for m in (model, learned)
    ]
    assert kinds[0] == kinds[1]
    assert not learned.pipeline.unet.training
    assert not any(p.requires_grad for p in learned.pipeline.unet.parameters())
    again = fine_tune(learned, images, PROMPTS, lora_rank=1, generator=seeded(), **OPTIONS)
    first, second = weights(learned), weights(again)
    name = next(name for name in first if name.endswith(PROJECTIONS))
    assert torch.linalg.matrix_rank(second[name] - first[name], rtol=1e-8) == 1


def test_without_a_rank_all_weights_learn_and_no_adapter_is_asked_for(model, images, seen):
    learned, before = (
        fine_tune(model, images, PROMPTS, generator=seeded(), **OPTIONS),
        weights(model),
    )
    assert not any(torch.equal(value, before[name]) for name, value in weights(learned).items())
    assert not seen


def test_without_peft_the_way_out_is_named(model, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'impress-bench\[lora\]'"):
        fine_tune(model, images, PROMPTS, lora_rank=2, generator=seeded(), **OPTIONS)
