"""The model behind one interface, on the embedded pack: gradients, pairing, independence."""

import copy

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionImg2ImgPipeline,
)

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import PACK, load_atelier, world
from impress_bench.benchmark.models.families.stable_diffusion.objective import target
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.inconsistency import measure
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import lpips_budget


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def images():
    works = world.paintings(world.artists("pretrain")[0], "heldout", 3)
    return torch.from_numpy(np.stack([w.image for w in works])).permute(0, 3, 1, 2).float() / 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def in_double():
    """A model of one's own in float64."""
    model = load_model("atelier")
    for module in (model.pipeline.vae, model.pipeline.unet, model.pipeline.text_encoder):
        module.double()
    return model


def test_digest_is_known_without_loading(model):
    assert model.digest == load_atelier.digest()


def test_a_folder_is_the_same_model(model, images):
    assert torch.equal(load_model(f"{PACK}").encode(images), model.encode(images))


def test_reconstruction_is_close_to_the_image(model, images):
    error = (model.reconstruct(images) - images).square().mean()
    assert error < 0.1 * images.var()


@pytest.mark.parametrize("chain", ["vae", "ldm"])
def test_gradient_of_reconstruction_equals_finite_differences(images, chain):
    model = in_double()
    point = images[:1].double().requires_grad_()

    def value(at):
        chained = model.reconstruct(at, chain, steps=4, strength=0.5, generator=seeded())
        return (chained - at).square().sum()

    (gradient,) = torch.autograd.grad(value(point), point)
    direction = torch.randn(point.shape, generator=seeded(1), dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        difference = value(point + step * direction) - value(point - step * direction)
    expected = (difference / (2 * step)).item()
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-4)


def test_an_unknown_chain_is_named(model, images):
    with pytest.raises(ValueError, match="'pixel'"):
        model.reconstruct(images, "pixel")


def test_sampled_latents_have_the_posterior_s_spread(model, images):
    one = images[:1].expand(400, -1, -1, -1)
    posterior = model.pipeline.vae.encode(2 * images[:1] - 1).latent_dist
    sampled = model.encode(one, sample=True, generator=seeded())
    torch.testing.assert_close(sampled.mean(0), posterior.mean[0], atol=0.2, rtol=0.05)
    ratio = (sampled.std(0) / posterior.std[0]).mean().item()
    assert ratio == pytest.approx(1, abs=0.02)


def test_noise_of_an_image_does_not_depend_on_its_batch(model, images):
    generators = per_image_generators(seeded(), 3)
    together = model.encode(images, sample=True, generator=generators)
    alone = model.encode(images[2:], sample=True, generator=per_image_generators(seeded(), 3)[2:])
    torch.testing.assert_close(together[2:], alone, atol=1e-5, rtol=1e-5)


def test_generated_images_depend_on_prompt_and_seed_only(model):
    prompts = ["a red house by a river", "a sailboat"]
    options = {"steps": 4, "guidance_scale": 2.0}
    first = paint(model, prompts, seeded(), **options)
    assert first.shape == (2, 3, 64, 64)
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, paint(model, prompts, seeded(), **options))
    cut = paint(model, prompts, seeded(), batch_size=1, **options)
    torch.testing.assert_close(first, cut, atol=1e-3, rtol=0)
    assert not torch.equal(first, paint(model, prompts, seeded(1), **options))


def test_a_sampler_by_name_is_diffusers(model):
    pipeline = copy.copy(model.pipeline)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(model.pipeline.scheduler.config)
    made = pipeline(
        ["a sailboat"], num_inference_steps=5, guidance_scale=2.0, output_type="pt",
        generator=per_image_generators(seeded(), 1),
    ).images  # fmt: skip
    options = {"steps": 5, "guidance_scale": 2.0}
    ours = paint(model, ["a sailboat"], seeded(), sampler="dpm-solver++", **options)
    assert torch.equal(ours, made.clamp(0, 1))
    assert not torch.equal(ours, paint(model, ["a sailboat"], seeded(), **options))
    with pytest.raises(ValueError, match="unknown sampler 'euler'"):
        paint(model, ["a sailboat"], seeded(), sampler="euler", **options)


def test_img2img_stays_closer_the_weaker_it_is(model, images):
    options = {"steps": 10, "guidance_scale": 1.0}
    prompts = [""] * len(images)
    errors = [
        (model.img2img(images, prompts, strength=s, generator=seeded(), **options) - images)
        .square()
        .mean()
        .item()
        for s in (0.1, 0.9)
    ]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_img2img_is_the_pipelines_own_under_the_prompts(model, images, guidance_scale):
    prompts = ["a boat", "a red house", "a boat", "", *["a hill"] * len(images)][: len(images)]
    options = {"strength": 0.5, "guidance_scale": guidance_scale}
    pipeline = StableDiffusionImg2ImgPipeline(
        **{**model.pipeline.components, "scheduler": model.ddim()}, requires_safety_checker=False
    )
    theirs = pipeline(
        prompts,
        image=images,
        num_inference_steps=6,
        generator=per_image_generators(seeded(), len(images)),
        output_type="pt",
        **options,
    ).images
    ours = model.img2img(images, prompts, steps=6, generator=seeded(), **options)
    torch.testing.assert_close(ours, theirs.clamp(0, 1), atol=1e-4, rtol=0)
    with torch.no_grad():
        one_by_one = torch.cat([model.embed([prompt]).tensors["text"] for prompt in prompts])
        torch.testing.assert_close(model.embed(prompts).tensors["text"], one_by_one)


def test_fine_tuning_learns_and_leaves_the_model_alone(model, images):
    before = {name: value.clone() for name, value in model.pipeline.unet.state_dict().items()}
    prompts = ["a landscape by Nobody Known"] * len(images)
    options = {"steps": 30, "lr": 5e-4, "batch_size": 3}
    learned = fine_tune(model, images, prompts, generator=seeded(), **options)
    again = fine_tune(model, images, prompts, generator=seeded(), **options)
    for name, value in model.pipeline.unet.state_dict().items():
        assert torch.equal(value, before[name])
    for name, value in learned.pipeline.unet.state_dict().items():
        assert torch.equal(value, again.pipeline.unet.state_dict()[name])

    scaled = model.encode(images) * model.latent_scale
    timesteps = torch.arange(50, 950, 100).repeat_interleave(3)
    noise = torch.randn((len(timesteps), *scaled.shape[1:]), generator=seeded(5))
    noisy = model.pipeline.scheduler.add_noise(scaled.repeat(9, 1, 1, 1), noise, timesteps)
    with torch.no_grad():
        losses = [
            (m.predict(noisy, timesteps, m.embed(prompts * 9)) - noise).square().mean().item()
            for m in (model, learned)
        ]
    assert losses[1] < losses[0]


def test_fine_tuning_in_parts_is_fine_tuning_in_one(images):
    """Batches of three as two and one; in double precision, since Adam divides by tiny numbers."""
    model, images = in_double(), images.double()
    prompts = ["a landscape by Nobody Known"] * len(images)
    options = {"steps": 3, "lr": 1e-3, "batch_size": 3}
    whole, parts = (
        fine_tune(model, images, prompts, generator=seeded(), microbatch=size, **options)
        for size in (None, 2)
    )
    for name, value in whole.pipeline.unet.state_dict().items():
        torch.testing.assert_close(value, parts.pipeline.unet.state_dict()[name], atol=1e-9, rtol=0)


def test_fine_tuning_keeps_the_average_that_diffusers_trainer_keeps(images):
    """Three steps against a naive loop; an average's decay is (1 + s) / (10 + s), 0 at first."""
    model, images = in_double(), images.double()  # Adam divides by tiny numbers
    prompts = ["a landscape by Nobody Known"] * len(images)
    learned = fine_tune(model, images, prompts, steps=3, lr=1e-3, batch_size=2, generator=seeded())

    unet, generator = copy.deepcopy(model.pipeline.unet).requires_grad_(True).train(), seeded()
    posterior = model.pipeline.vae.encode(2 * images - 1).latent_dist
    alphas = model.pipeline.scheduler.alphas_cumprod.double()
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3, weight_decay=1e-2)
    average = [parameter.detach().clone() for parameter in unet.parameters()]
    for decay in (0, 2 / 11, 3 / 12):
        index = torch.randint(3, (2,), generator=generator)
        jitter, noise = torch.randn((2, 2, 4, 16, 16), generator=generator).double()
        timesteps = torch.randint(1000, (2,), generator=generator)
        latents = posterior.mean[index] + posterior.std[index] * jitter
        signal = alphas[timesteps].sqrt()[:, None, None, None] * model.latent_scale
        spread = (1 - alphas[timesteps]).sqrt()[:, None, None, None]
        noisy = signal * latents + spread * noise
        predicted = unet(noisy, timesteps, model.embed(prompts[:2]).tensors["text"]).sample
        optimizer.zero_grad()
        (predicted - noise).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        for mean, parameter in zip(average, unet.parameters(), strict=True):
            mean.mul_(decay).add_(parameter.detach(), alpha=1 - decay)
    for got, expected in zip(learned.pipeline.unet.parameters(), average, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_fine_tuning_wants_a_prompt_an_image(model, images):
    with pytest.raises(ValueError, match="3 images but 1 prompts"):
        fine_tune(model, images, ["one"], steps=1, lr=1e-4, batch_size=1, generator=seeded())


def test_inconsistency_is_measured_an_image(model, images):
    decoded = model.reconstruct(images).clamp(0, 1)
    measured = measure(model, images, decoded, images, seeded())
    decoded = model.reconstruct(images).clamp(0, 1)
    expected = [np.mean((a - b) ** 2) for a, b in zip(decoded.numpy(), images.numpy(), strict=True)]
    assert measured["vae-error"] == pytest.approx(expected, rel=1e-4)
    distances = lpips_budget(decoded, images)
    assert measured["clean-lpips"] == pytest.approx(distances.tolist(), rel=1e-6)
    assert len(measured["ldm-error"]) == 3


def test_a_u_net_learns_what_its_schedule_says():
    """Noise, or sqrt(a) noise - sqrt(1 - a) x of Salimans and Ho 2022."""
    clean, noise = torch.randn(2, 3, 4, 8, 8, generator=seeded())
    timesteps = torch.tensor([0, 500, 999])
    plain = DDIMScheduler()
    assert torch.equal(target(plain, clean, noise, timesteps), noise)
    share = plain.alphas_cumprod[timesteps][:, None, None, None]
    velocity = share.sqrt() * noise - (1 - share).sqrt() * clean
    scheduler = DDIMScheduler(prediction_type="v_prediction")
    torch.testing.assert_close(target(scheduler, clean, noise, timesteps), velocity)
    with pytest.raises(ValueError, match="'sample'"):
        target(DDIMScheduler(prediction_type="sample"), clean, noise, timesteps)
