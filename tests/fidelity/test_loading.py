"""What is loaded from a folder of Stable Diffusion is what was published in it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import huggingface_hub
import pytest
import torch
from diffusers import EulerDiscreteScheduler, PNDMScheduler

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.models.diffusion_classifier import DiffusionClassifier
from impress_bench.benchmark.models.families.folders import variant_of
from impress_bench.benchmark.models.families.pipelines import (
    rebuilt as rebuilt_pipeline,
)
from impress_bench.benchmark.models.inconsistency import measure
from impress_bench.benchmark.models.inpainting import inpainting_chain
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections.objectives.denoising import denoise

EXPECTED = {  # pixels, text width, predicts, sampler
    "sd-1.5": (64, 48, "epsilon", "PNDMScheduler"),
    "sd-2.1-base": (64, 64, "epsilon", "PNDMScheduler"),
    "sd-2.1": (96, 64, "v_prediction", "DDIMScheduler"),
    "sd-inpainting": (64, 48, "epsilon", "PNDMScheduler"),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def with_sampler(model, scheduler):
    """`model` with the same schedule under another sampler."""
    return replace(model, pipeline=rebuilt_pipeline(model.pipeline, scheduler=scheduler))


def test_every_weight_and_the_sampler_arrive(release, model, rebuilt):
    pixels, width, predicts, sampler = EXPECTED[release]
    pipeline = model.pipeline
    loaded = pipeline.text_encoder, pipeline.vae, pipeline.unet
    for network, original in zip(loaded, rebuilt, strict=True):
        weights = network.state_dict()
        assert network.dtype == torch.float32
        for name, value in original.state_dict().items():
            # One release is stored in half precision.
            torch.testing.assert_close(weights[name], value, atol=1e-3, rtol=1e-3)
    assert type(pipeline.scheduler).__name__ == sampler
    assert pipeline.scheduler.config.prediction_type == predicts
    assert model.image_size == pixels
    assert model.latent_scale == 0.18215
    assert model.embed(["a red house", ""]).tensors["text"].shape == (2, 77, width)
    assert pipeline.safety_checker is None


def test_eight_pixels_are_a_latent(model, smooth_images):
    images = smooth_images(2, 128)
    assert model.encode(images).shape == (2, 4, 16, 16)
    for chain in ("vae", "ldm"):
        made = model.reconstruct(images, chain, steps=4, generator=seeded())
        assert made.shape == images.shape
        assert made.isfinite().all()


def test_images_are_painted_from_prompt_and_seed(model):
    options = {"steps": 3, "guidance_scale": 3.0}
    painted = paint(model, ["a red house", "a boat"], seeded(), **options)
    assert painted.shape == (2, 3, model.image_size, model.image_size)
    assert painted.isfinite().all()
    assert torch.equal(painted, paint(model, ["a red house", "a boat"], seeded(), **options))
    other = paint(model, ["a red house", "a tree"], seeded(), **options)
    assert torch.equal(painted[0], other[0])
    assert not torch.equal(painted[1], other[1])


def test_judges_and_diagnostics_run(model, smooth_images):
    images = smooth_images(2, 64)
    classifier = DiffusionClassifier(model, ("cubism", "baroque"), "{}", (2, 3), (2, 1))
    assert classifier.ranks(images, seeded()).sort().values.tolist() == [[0, 1], [0, 1]]
    decoded = model.reconstruct(images).clamp(0, 1)
    measured = measure(model, images, decoded, images, seeded())
    assert all(torch.tensor(values).isfinite().all() for values in measured.values())


@pytest.mark.parametrize("release", ["sd-1.5", "sd-2.1"], indirect=True)
@pytest.mark.parametrize("sampler", [PNDMScheduler, EulerDiscreteScheduler])
def test_training_and_redrawing_do_not_depend_on_the_sampler(model, smooth_images, sampler):
    """PNDM knows no velocity, Euler's noise is on another scale; neither was trained on."""
    images, kinds = smooth_images(1, 64), sampler.from_config(model.pipeline.scheduler.config)
    other = with_sampler(model, kinds)
    prompt = model.embed(["a boat"])
    errors = [denoise(m, images, prompt, [seeded()]).error for m in (model, other)]
    torch.testing.assert_close(*errors)
    options = {"strength": 0.5, "steps": 4, "guidance_scale": 2.0}
    redrawn = [m.img2img(images, ["a boat"], generator=seeded(), **options) for m in (model, other)]
    torch.testing.assert_close(*redrawn)


@pytest.mark.parametrize("release", ["sd-1.5"], indirect=True)
def test_latents_are_never_clipped(release, model):
    """Saved again, PNDM's settings say nothing of clipping, and DDIM's default would clip."""
    settings = {"beta_schedule": "scaled_linear", "skip_prk_steps": True, "steps_offset": 1}
    silent = PNDMScheduler(beta_start=0.00085, beta_end=0.012, **settings)
    assert with_sampler(model, silent).ddim().config.clip_sample is False


@pytest.mark.parametrize("release", ["sd-inpainting"], indirect=True)
class TestInpaintingFolder:
    """A stock folder whose own U-Net has nine channels."""

    def test_it_is_the_inpainting_model(self, model):
        assert model.inpainter is model.pipeline.unet

    def test_the_chain_is_the_pipeline_s(self, model, smooth_images):
        images, keep = smooth_images(2, 64), torch.zeros(2, 64, 64, dtype=torch.bool)
        keep[:, 16:40, 24:48] = True
        streams = [per_image_generators(seeded(), 2) for _ in range(2)]
        chained = inpainting_chain(model, images, keep, streams[0], steps=3).clamp(0, 1)
        options = {"steps": 3, "guidance_scale": 1.0, "eta": 1.0}
        painted = model.repaint(images, keep, ["", ""], streams[1], **options)
        torch.testing.assert_close(chained, painted, atol=1e-4, rtol=0)

    def test_as_a_denoiser_it_sees_noise_and_grey(self, model):
        noisy = torch.randn(2, 4, 8, 8, generator=seeded())
        timesteps = torch.tensor([10, 700])
        prompts = model.embed(["a boat", ""])
        grey = model.encode(torch.full((1, 3, 64, 64), 0.5)) * model.latent_scale
        joined = torch.cat([noisy, torch.ones(2, 1, 8, 8), grey.expand(2, -1, -1, -1)], dim=1)
        with torch.no_grad():
            expected = model.predict(joined, timesteps, prompts)
            torch.testing.assert_close(model.predict(noisy, timesteps, prompts), expected)


def test_only_a_variant_that_is_there_alone_is_asked_for(tmp_path):
    unet = tmp_path / "unet"
    unet.mkdir()
    assert variant_of(tmp_path) is None
    (unet / "diffusion_pytorch_model.fp16-00001-of-00002.safetensors").touch()
    assert variant_of(tmp_path) == "fp16"
    (unet / "diffusion_pytorch_model-00001-of-00002.safetensors").touch()
    assert variant_of(tmp_path) is None


def test_a_hub_id_s_files_are_looked_at_too(folder_of, tmp_path, monkeypatch):
    """A fetched snapshot that holds a variant alone loads like a folder that does."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--painter--miniature"
    shutil.copytree(folder_of("sd-2.1-base"), repository / "snapshots" / revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    fetched = load_model(f"painter/miniature@{revision}")
    expected = load_model(str(folder_of("sd-2.1-base"))).pipeline.unet.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in fetched.pipeline.unet.state_dict().items())


def test_pickled_weights_are_refused(folder_of, tmp_path):
    """Only safetensors are read, whatever else lies there."""
    folder = shutil.copytree(folder_of("sd-1.5"), tmp_path / "pickled")
    (weights,) = (folder / "unet").glob("*.safetensors")
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    weights.unlink()
    with pytest.raises(PluginError, match="safetensors"):
        load_model(str(folder))
