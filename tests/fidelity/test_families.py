"""Every family against diffusers: what it learns against a transcription of its training script,
and what it paints against its pipeline."""

from __future__ import annotations

import copy
import json
import shutil

import diffusers
import pytest
import torch
from diffusers.training_utils import (
    compute_density_for_timestep_sampling,
    compute_loss_weighting_for_sd3,
)
from small_families import BUILT

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.models.families import FAMILIES, load_pretrained
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.noise_levels import diffusion_snr
from impress_bench.benchmark.models.numerics import Numerics
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections.objectives.denoising import denoise

FLOWS = ("sd-3.5", "flux")
PROMPT = "a red boat"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=BUILT)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name, folder_of):
    return load_pretrained(folder_of(name))


@pytest.fixture(scope="module")
def theirs(name, folder_of):
    """diffusers' own pipeline, from the same folder."""
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder_of(name))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sdxl_loss(pipe, latents, noise, told, generator):
    """train_text_to_image_lora_sdxl.py, diffusers 0.32, commit 23cf712."""
    scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
    timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (1,), generator=generator)
    noisy = scheduler.add_noise(latents, noise(), timesteps)
    embeds, _, pooled, _ = told
    time_ids = torch.tensor([[64, 64, 0, 0, 64, 64]], dtype=torch.float32)
    conditions = {"time_ids": time_ids, "text_embeds": pooled}
    pred = pipe.unet(noisy, timesteps, embeds, added_cond_kwargs=conditions).sample
    return torch.nn.functional.mse_loss(pred.float(), noise().float(), reduction="mean")


def flow_times(pipe, scheme, generator):
    """The scripts' timesteps and sigmas, and the weights of their loss."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_config(pipe.scheduler.config)
    u = compute_density_for_timestep_sampling(scheme, 1, 0.0, 1.0, 1.29, generator=generator)
    indices = (u * scheduler.config.num_train_timesteps).long()
    sigmas = scheduler.sigmas[indices].view(-1, 1, 1, 1)
    weighting = compute_loss_weighting_for_sd3(scheme, sigmas)
    return scheduler.timesteps[indices], sigmas, weighting


def sd3_loss(pipe, latents, noise, told, generator):
    """train_dreambooth_lora_sd3.py, diffusers 0.31, commit 32f85ed, with its defaults, among which
    precondition_outputs is 1."""
    timesteps, sigmas, weighting = flow_times(pipe, "logit_normal", generator)
    noisy = (1.0 - sigmas) * latents + sigmas * noise()
    embeds, _, pooled, _ = told
    pred = pipe.transformer(
        hidden_states=noisy, timestep=timesteps, encoder_hidden_states=embeds,
        pooled_projections=pooled, return_dict=False,
    )[0]  # fmt: skip
    pred = pred * (-sigmas) + noisy
    return torch.mean((weighting.float() * (pred.float() - latents.float()) ** 2).reshape(1, -1), 1)


def flux_loss(pipe, latents, noise, told, generator):
    """train_dreambooth_lora_flux.py, diffusers 0.33, commit 5700e52, with its defaults."""
    timesteps, sigmas, weighting = flow_times(pipe, "none", generator)
    noisy = (1.0 - sigmas) * latents + sigmas * noise()
    embeds, pooled, text_ids = told
    pipeline = diffusers.FluxPipeline
    pred = pipe.transformer(
        hidden_states=pipeline._pack_latents(noisy, *noisy.shape),
        timestep=timesteps / 1000,
        guidance=torch.tensor([3.5]),
        pooled_projections=pooled,
        encoder_hidden_states=embeds,
        txt_ids=text_ids,
        img_ids=pipeline._prepare_latent_image_ids(1, 4, 4, "cpu", torch.float32),
        return_dict=False,
    )[0]
    pred = pipeline._unpack_latents(pred, height=64, width=64, vae_scale_factor=8)
    target = noise() - latents
    return torch.mean((weighting.float() * (pred.float() - target.float()) ** 2).reshape(1, -1), 1)


def instruct_loss(pipe, latents, noise, told, generator, image=None):
    """train_instruct_pix2pix.py, diffusers 0.18, commit cea10c7; without `image` its image is
    dropped."""
    scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
    timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (1,), generator=generator)
    noisy = scheduler.add_noise(latents, noise(), timesteps)
    shown = (
        torch.zeros_like(latents) if image is None else pipe.vae.encode(image).latent_dist.mode()
    )
    pred = pipe.unet(torch.cat([noisy, shown], dim=1), timesteps, told[0]).sample
    return torch.nn.functional.mse_loss(pred.float(), noise().float(), reduction="mean")


SCRIPTS = {
    "sdxl": sdxl_loss, "sd-3.5": sd3_loss, "flux": flux_loss, "instruct-pix2pix": instruct_loss
}  # fmt: skip


def scripted(name, pipe, images, **more):
    """The script's loss of one image under a prompt. The noise of an image is drawn after its
    timestep here and before it there, so it is drawn when first asked for."""
    generator, drawn = seeded(), []
    with torch.no_grad():
        found = pipe.vae.encode(2 * images - 1).latent_dist
        jitter = torch.randn(found.mean.shape[1:], generator=generator)
        shift = pipe.vae.config.shift_factor or 0.0
        latents = (found.mean + found.std * jitter - shift) * pipe.vae.config.scaling_factor

        def noise():
            if not drawn:
                drawn.append(torch.randn(latents.shape[1:], generator=generator)[None])
            return drawn[0]

        if name == "flux":
            told = pipe.encode_prompt(PROMPT, None)
        elif name == "sd-3.5":
            told = pipe.encode_prompt(PROMPT, None, None, do_classifier_free_guidance=False)
        elif name == "sdxl":
            told = pipe.encode_prompt(PROMPT, do_classifier_free_guidance=False)
        else:
            told = [pipe._encode_prompt(PROMPT, "cpu", 1, False)]
        return SCRIPTS[name](pipe, latents, noise, told, generator, **more)


def test_the_loss_is_the_training_script_s(name, model, theirs, smooth_images):
    images = smooth_images(1, 64)
    ours = denoise(model, images, model.embed([PROMPT]), [seeded()], gradient=False).error
    expected = scripted(name, theirs, images).reshape(1)
    torch.testing.assert_close(ours.detach(), expected, atol=1e-5, rtol=1e-5)


def test_the_first_step_of_fine_tuning_follows_that_loss(name, model, smooth_images):
    """Of all weights: each moves by the rate against the gradient of the loss, as AdamW does."""
    images, stream = smooth_images(1, 64), seeded()
    options = {"steps": 1, "lr": 1e-3, "batch_size": 1, "generator": seeded()}
    learned = fine_tune(model, images, [PROMPT], **options)
    torch.randint(1, (1,), generator=stream)
    posterior = model.posterior(images)
    jitter, eps = torch.randn((2, *posterior.mean.shape), generator=stream)
    clean = model.scale(posterior.mean + posterior.std * jitter)
    levels = model.draw_levels([stream])
    net = model.denoiser.requires_grad_(True)
    predicted = model.predict(model.noise(clean, levels, eps), levels, model.embed([PROMPT]))
    error = (predicted - model.wanted(clean, levels, eps)).square().mean()
    loss = error * (levels[0] ** 2 if name == "sd-3.5" else 1)
    parameters = list(net.parameters())
    slopes = torch.autograd.grad(loss, parameters, allow_unused=True)
    net.requires_grad_(False)
    moved = 0
    for got, was, slope in zip(learned.denoiser.parameters(), parameters, slopes, strict=True):
        if slope is not None and (clear := slope.abs() > 1e-5).any():
            expected = was * (1 - 1e-3 * 1e-2) - 1e-3 * slope.sign()
            torch.testing.assert_close(got[clear], expected[clear], atol=2e-5, rtol=0)
            moved += int(clear.sum())
    assert moved > 100


def test_adapters_learn_where_the_script_has_them(model, smooth_images):
    pytest.importorskip("peft")
    options = {"steps": 1, "lr": 1e-2, "batch_size": 2, "generator": seeded(), "lora_rank": 2}
    before = {name: value.clone() for name, value in model.denoiser.state_dict().items()}
    learned = fine_tune(model, smooth_images(2, 64), [PROMPT, ""], **options).denoiser.state_dict()
    assert learned.keys() == before.keys()
    changed = {key for key, value in learned.items() if not torch.equal(value, before[key])}
    assert all(torch.equal(model.denoiser.state_dict()[key], before[key]) for key in before)
    ends = tuple(f".{target}.weight" for target in model.lora_targets)
    assert changed
    assert changed <= {key for key in before if key.endswith(ends)}
    assert {end for end in ends if any(key.endswith(end) for key in before)} == set(ends)


def test_keys_and_values_of_the_prompt_are_in_attention(model):
    weights = [name for name, _ in model.denoiser.named_parameters()]
    reading = [name for name in weights if model.reads_prompt(name)]
    assert reading
    assert all(model.in_attention(name) for name in reading)
    assert any(not model.in_attention(name) for name in weights)


def without_image(pipeline, streams):
    """A text-to-image pipeline of an InstructPix2Pix, whose U-Net gets zeros in place of an image,
    and the noise that it begins with."""
    made = rebuilt(pipeline, diffusers.StableDiffusionPipeline, unet=copy.deepcopy(pipeline.unet))
    plain = made.unet.forward
    made.unet.forward = lambda noisy, *more, **named: plain(
        torch.cat([noisy, torch.zeros_like(noisy)], dim=1), *more, **named
    )
    return made, torch.stack([torch.randn(4, 8, 8, generator=one) for one in streams])


def test_images_are_painted_as_the_pipeline_paints_them(name, model, theirs):
    options = {"guidance_scale": 3.0}
    streams = [per_image_generators(seeded(), 2) for _ in range(2)]
    painted = model.sample([PROMPT, "a tree"], streams[0], steps=3, **options)
    assert painted.shape == (2, 3, 64, 64)
    told = {"num_inference_steps": 3, "generator": streams[1], "output_type": "pt", **options}
    if name == "instruct-pix2pix":
        theirs, told["latents"] = without_image(theirs, streams[1])
    expected = theirs([PROMPT, "a tree"], height=64, width=64, **told).images
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)


def test_the_sampler_with_a_gradient_is_the_pipeline_s(name, model, theirs):
    """Without guidance; FLUX's denoiser is told that of its training."""
    generator = seeded()
    noisy = torch.randn(model.latent_channels, 8, 8, generator=generator)[None]
    sampler, told = model.sampler(4), model.embed([PROMPT])
    assert len(sampler.levels) == 4
    with torch.no_grad():
        for level in sampler.levels:
            noisy = sampler.step(model.predict(noisy, level.expand(1), told), level, noisy)
        painted = model.decode(model.unscale(noisy)).clamp(0, 1)
    if name == "instruct-pix2pix":
        expected = model.sample([PROMPT], [seeded()], steps=4, guidance_scale=1.0)
    else:
        if name == "sdxl":
            theirs = rebuilt(theirs, scheduler=model.ddim())
        expected = theirs(
            PROMPT, height=64, width=64, num_inference_steps=4, output_type="pt",
            guidance_scale=3.5 if name == "flux" else 1.0, generator=[seeded()],
        ).images  # fmt: skip
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_images_are_redrawn_as_the_pipeline_redraws_them(
    name, model, theirs, smooth_images, guidance_scale
):
    images = smooth_images(2, 64)
    if name == "instruct-pix2pix":
        pytest.skip("diffusers has no pipeline that redraws with InstructPix2Pix and no image")
    options = {"strength": 0.6, "guidance_scale": guidance_scale}
    streams = [per_image_generators(seeded(), 2) for _ in range(2)]
    ours = model.img2img(images, [PROMPT] * 2, steps=5, generator=streams[0], **options)
    changes = {"scheduler": model.ddim()} if name == "sdxl" else {}
    redrawing = rebuilt(theirs, getattr(diffusers, model.REDRAWS), **changes)
    expected = redrawing(
        [PROMPT] * 2, image=images, num_inference_steps=5, generator=streams[1],
        output_type="pt", **({} if name == "sdxl" else {"height": 64, "width": 64}), **options,
    ).images  # fmt: skip
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["instruct-pix2pix"], indirect=True)
class TestInstructPix2Pix:
    def test_an_edit_is_the_pipeline_s(self, model, theirs, smooth_images):
        images, keep = smooth_images(2, 64), torch.ones(2, 64, 64, dtype=torch.bool)
        streams = [per_image_generators(seeded(), 2) for _ in range(2)]
        options = {"guidance_scale": 7.5, "eta": 1.0}
        ours = model.edit(images, keep, [PROMPT] * 2, streams[0], steps=3, **options)
        expected = theirs(
            [PROMPT] * 2, image=images, num_inference_steps=3, image_guidance_scale=1.5,
            generator=streams[1], output_type="pt", **options,
        ).images  # fmt: skip
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)
        assert not torch.equal(ours[0], ours[1])

    def test_the_loss_with_an_image_is_the_script_s(self, name, model, theirs, smooth_images):
        images = smooth_images(1, 64)
        told = model.instructed(1 - images, [PROMPT])
        ours = denoise(model, images, told, [seeded()], gradient=False).error
        expected = scripted(name, theirs, images, image=1 - 2 * images).reshape(1)
        torch.testing.assert_close(ours.detach(), expected.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FLOWS, indirect=True)
class TestFlows:
    @pytest.mark.parametrize("timestep", [10, 150])
    def test_redrawing_begins_at_equal_signal_to_noise(self, model, timestep):
        snr = diffusion_snr(timestep / 1000)
        level = model.level_of(snr)
        assert ((1 - level) / level) ** 2 == pytest.approx(snr)
        levels = model.sampler(5, level).levels
        assert float(levels[0]) == pytest.approx(level, abs=1e-6)
        assert (levels.diff() < 0).all()

    def test_levels_are_times_of_the_schedule(self, model):
        times = set(model.training_times.tolist())
        assert len(times) == 1000
        even = model.even_levels(10)
        assert (even.diff() > 0).all()
        assert {*even.tolist(), *model.draw_levels([seeded()] * 20).tolist()} <= times

    def test_a_flow_has_no_fresh_noise(self, model):
        sampler = model.sampler(2)
        with pytest.raises(ValueError, match="eta must be 0"):
            sampler.step(torch.zeros(1), sampler.levels[0], torch.zeros(1), eta=0.5)
        with pytest.raises(ValueError, match="unknown sampler"):
            model.sample([""], [seeded()], steps=1, guidance_scale=1.0, sampler="dpm-solver++")


@pytest.mark.parametrize("name", ["flux"], indirect=True)
def test_flux_keeps_its_weights_in_bfloat16_if_asked(model, name, folder_of, smooth_images):
    pytest.importorskip("peft")
    short = load_model(str(folder_of(name)), numerics=Numerics("bfloat16"))
    assert {p.dtype for p in short.denoiser.parameters()} == {torch.bfloat16}
    assert short.autoencoder.dtype == torch.float32
    noisy, levels = torch.randn(2, 16, 8, 8, generator=seeded()), torch.tensor([0.2, 0.9])
    with torch.no_grad():
        expected, got = (m.predict(noisy, levels, m.embed([PROMPT, ""])) for m in (model, short))
    assert got.dtype == torch.float32
    # bfloat16 rounds by up to 2^-9 of a value, at some dozens of places one after the other.
    assert (got - expected).norm() < 0.1 * expected.norm()
    options = {"steps": 1, "lr": 1e-2, "batch_size": 2, "generator": seeded()}
    for rank, kept in ((2, torch.bfloat16), (None, torch.float32)):
        learned = fine_tune(short, smooth_images(2, 64), ["", ""], lora_rank=rank, **options)
        assert {p.dtype for p in learned.denoiser.parameters()} == {kept}
        weight = "transformer_blocks.0.attn.to_q.weight"
        before, after = (m.denoiser.state_dict()[weight].float() for m in (short, learned))
        assert not torch.equal(before, after)
        assert learned.sample([""], [seeded()], steps=2, guidance_scale=2.0).isfinite().all()


@pytest.mark.parametrize("name", ["sd-3.5"], indirect=True)
def test_t5_may_be_left_out(folder_of, name, tmp_path):
    folder = shutil.copytree(folder_of(name), tmp_path / "small")
    for part in ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(folder / part)
    model = load_model(str(folder))
    text = model.embed([PROMPT, ""]).tensors["text"]
    assert text.shape == (2, 77 + 256, 64)
    assert text[:, 77:].abs().max() == 0


@pytest.mark.parametrize(
    ("name", "part", "change", "told"),
    [
        ("sdxl", "unet", {"in_channels": 9}, "in_channels 9"),
        ("sdxl", "unet", {"sample_size": None}, "one side in latents"),
        ("sd-3.5", "vae", {"latent_channels": 4}, "latent_channels 4"),
        (
            "sd-3.5",
            "scheduler",
            {"_class_name": "DDIMScheduler"},
            "has the scheduler DDIMScheduler",
        ),
        ("flux", "transformer", {"in_channels": 384}, "in_channels 384"),
        ("flux", "vae", {"sample_size": None}, "one side in pixels"),
        ("instruct-pix2pix", "unet", {"in_channels": 4}, "in_channels 4"),
    ],
    indirect=["name"],
)
def test_what_cannot_be_used_is_refused(folder_of, name, part, change, told, tmp_path):
    folder = shutil.copytree(folder_of(name), tmp_path / "harmed", symlinks=True)
    path = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(PluginError, match=told):
        load_model(str(folder))


def test_every_family_is_tested():
    """All but that of Stable Diffusion 1 and 2, which has tests of its own."""
    assert len(set(FAMILIES.values())) == len(BUILT) + 1
