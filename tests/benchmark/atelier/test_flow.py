"""The embedded rectified flow: what it learns, and what is said where its weights are missing."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import flow as embedded
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.recipes import flow
from impress_bench.benchmark.atelier.train.recipes.vae import (
    _normalisation,
    new_vae,
    to_model_range,
)
from impress_bench.benchmark.atelier.train.sizes import Flow, Sizes
from impress_bench.benchmark.atelier.train.tokens import build_tokenizer
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins import models
from impress_bench.benchmark.harness.plugins.registry import Registry

TINY = Sizes(
    seed=0, vae=(4, 4, 4), vae_groups=2, latent_channels=16,
    flow=Flow(blocks=2, heads=2, head_width=8, texts=(8, 12)),
)  # fmt: skip
PROMPTS = ["a house by nobody", "", "stained glass"]


@pytest.mark.parametrize("zeros", [0, 3])
def test_the_loss_is_that_of_a_rectified_flow(zeros, tmp_path, monkeypatch):
    """Written out with diffusers' pipeline, image by image, on the same draws."""
    monkeypatch.setattr(flow, "T5_TOKENS", zeros)
    monkeypatch.setattr(flow, "fast_arithmetic", lambda device: nullcontext())
    torch.manual_seed(0)
    tokenizer = build_tokenizer(tmp_path)
    networks = flow._new(Job(tmp_path, tmp_path, 1, TINY), tokenizer)
    clean, noise = torch.randn(2, 3, 16, 16, 16)
    times = torch.randn(3).sigmoid()
    tokens = tokenizer(PROMPTS, padding="max_length", truncation=True, return_tensors="pt")

    pipe = StableDiffusion3Pipeline(
        **vars(networks), vae=new_vae(TINY), scheduler=FlowMatchEulerDiscreteScheduler(),
        tokenizer=tokenizer, tokenizer_2=tokenizer, text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip
    errors = []
    for i, prompt in enumerate(PROMPTS):
        embeds, _, pooled, _ = pipe.encode_prompt(
            prompt, None, None, do_classifier_free_guidance=False, max_sequence_length=zeros
        )
        noisy = (1.0 - times[i]) * clean[i] + times[i] * noise[i]
        pred = pipe.transformer(
            noisy[None], embeds, pooled, timestep=times[i : i + 1] * 1000
        ).sample
        errors.append(((pred[0] - (noise[i] - clean[i])) ** 2).mean())
    expected = sum(errors) / len(errors)
    found = networks.loss(clean, noise, times, tokens.input_ids)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_learned_are_the_latents_that_the_pipeline_decodes():
    """Of mean 0 and variance 1 by the shift and scale of the VAE's settings, but for the noise of
    its posteriors."""
    torch.manual_seed(0)
    works = world.paintings(world.artists("pretrain")[0], "heldout", 5)
    paintings, vae = PaintedSet.of(works), new_vae(TINY)
    vae.register_to_config(**_normalisation(vae, paintings))
    parameters = flow.encode_all(vae, paintings.images)
    parameters[:, 16:] = -60  # hardly any noise
    scale, shift = vae.config.scaling_factor, vae.config.shift_factor
    latents = flow.sample_latents(parameters, torch.arange(5), scale, torch.Generator(), shift)
    assert abs(latents.mean()) < 1e-2
    assert latents.std() == pytest.approx(1, abs=1e-2)
    with torch.no_grad():
        decoded = vae.decode(latents / scale + shift).sample  # as the pipeline
        expected = vae(to_model_range(paintings.images)).sample
    assert torch.allclose(decoded, expected, atol=1e-2)


def test_an_autoencoder_of_a_flow_has_a_shift_and_no_convolutions_at_its_latents():
    vae = new_vae(TINY)
    assert isinstance(vae, AutoencoderKL)
    assert vae.config.shift_factor is not None
    assert vae.quant_conv is None
    assert new_vae(Sizes(seed=0, vae=(4, 4, 4), vae_groups=2)).config.shift_factor is None


@pytest.mark.parametrize("calibrated", [True, False])
def test_missing_weights_are_told_before_anything_runs(calibrated, tmp_path, monkeypatch):
    monkeypatch.setattr(
        embedded, "load_flow", embedded.EmbeddedFlow(tmp_path, calibrated=calibrated)
    )
    entry = EntryPoint("atelier-flow", f"{embedded.__name__}:load_flow", "impress_bench.models")
    monkeypatch.setattr(models, "_entry", lambda registry, name: entry)
    for refused in (load_model, lambda name: models.model_digest(Registry(), name)):
        with pytest.raises(ConfigError, match="its weights are not in this checkout; train them"):
            refused("atelier-flow")


def test_the_embedded_flow_is_registered():
    root = Path(__file__).parents[3]
    registered = (root / "setup.cfg").read_text()
    for name, factory in {"": "load_flow", "-uncalibrated": "load_flow_uncalibrated"}.items():
        assert f"atelier-flow{name} = {embedded.__name__}:{factory}\n" in registered
        assert callable(getattr(embedded, factory))
