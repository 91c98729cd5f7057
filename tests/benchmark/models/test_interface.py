"""The interface of models: a rectified flow goes wherever Stable Diffusion goes, and the generic
parts agree with what diffusers' pipelines do."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from contexts import context
from flow import CHANNELS, Flow

from impress_bench import attacks, benchmark, leaderboard, metrics, protections
from impress_bench.attacks import DiffPure, GridPure, Impress, VaeRoundTrip
from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.stages.passes import Passes
from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.diffusion_classifier import DiffusionClassifier
from impress_bench.benchmark.models.families import FAMILIES
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.inconsistency import measure
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.noise_levels import diffusion_snr
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import (
    Ace,
    AdvDM,
    Aspl,
    Caat,
    Consistency,
    Glaze,
    Mist,
    PhotoGuardDiffusion,
    PhotoGuardEncoder,
    Sds,
)
from impress_bench.protections.objectives.denoising import denoise

PROTECTIONS = [
    Glaze(steps=2, transfer_steps=3, linf=16 / 255),
    AdvDM(steps=2),
    Mist(steps=2),
    Sds(steps=2, target="pattern"),
    PhotoGuardEncoder(steps=2),
    Aspl(rounds=1, moves=2, surrogate_steps=1, surrogate_lr=1e-3),
    Caat(steps=2),
    Ace(rounds=1, moves=2, surrogate_steps=1, latent_weight=100.0),
    Consistency(chain="ldm")(PhotoGuardEncoder(steps=1), "photoguard-encoder"),
]


@pytest.fixture(scope="module")
def model():
    return Flow()


@pytest.fixture(scope="module")
def atelier():
    return load_model("atelier")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.name)
def test_protections_use_nothing_else_of_a_model(protection, model, smooth_images):
    images = smooth_images(2, 16)
    protected, again = (protection(images, context(model=model)) for _ in range(2))
    assert protected.linf.min() > 0
    assert torch.equal(protected.images, again.images)


@pytest.mark.parametrize(
    "purifier",
    [Impress(steps=2), VaeRoundTrip(), DiffPure(steps=20), GridPure(iterations=1, tile=8)],
    ids=lambda purifier: purifier.name,
)
def test_purifiers_use_nothing_else_of_a_model(purifier, model, smooth_images):
    images = smooth_images(2, 16)
    purified = purifier(images, context(model=model)).images
    assert not torch.equal(purified, images)
    alone = purifier(images[:1], context(model=model)).images
    assert (purified[:1] - alone).abs().max() <= 1 / 255


def test_a_model_that_cannot_inpaint_is_skipped_with_the_reason(model, smooth_images):
    with pytest.raises(PluginError, match="cannot inpaint; name one") as raised:
        PhotoGuardDiffusion(steps=1)(smooth_images(1, 16), context(model=model))
    assert raised.value.state is State.SKIPPED


def test_tasks_and_judges_use_nothing_else_of_a_model(model, smooth_images):
    images, passes = smooth_images(2, 16), Passes()
    passes.watch_model(model)
    options = {"steps": 1, "lr": 1e-3, "batch_size": 3}
    before = model.denoiser.out.weight.clone()
    learned = fine_tune(model, images, ["a", "b"], generator=seeded(), **options)
    assert (passes.counts["unet forward"], passes.counts["unet backward"]) == (3, 3)
    assert torch.equal(model.denoiser.out.weight, before)
    assert paint(learned, ["a", "b", "c"], seeded(), steps=2, guidance_scale=1.0).shape[0] == 3
    classifier = DiffusionClassifier(model, ("cubism", "baroque"), "{}", (2, 3), (2, 1))
    assert classifier.ranks(images, seeded()).sort().values.tolist() == [[0, 1], [0, 1]]
    measured = measure(model, images, model.reconstruct(images).clamp(0, 1), images, seeded())
    assert all(np.isfinite(values).all() for values in measured.values())


def test_a_fine_tuning_step_descends_the_flow_s_own_loss(model, smooth_images):
    """Against the step written out: shifted and scaled latents, times from a logistic normal,
    straight lines to the noise, and noise - x to be learned. The average is the first iterate."""
    images, generator = smooth_images(2, 16), seeded()
    learned = fine_tune(
        model, images, ["a", "b"], steps=1, lr=1e-3, batch_size=2, generator=seeded()
    )
    net = Flow().denoiser.requires_grad_(True)
    mean, spread = model.autoencoder.encoder(2 * images - 1).chunk(2, dim=1)
    index = torch.randint(2, (2,), generator=generator)
    jitter, eps = torch.randn((2, 2, CHANNELS, 8, 8), generator=generator)
    latents = mean[index] + 0.01 * spread.abs()[index] * jitter
    x = (latents - 0.0609) * 1.5305
    s = torch.cat([torch.randn(1, generator=generator) for _ in range(2)]).sigmoid()
    share = s[:, None, None, None]
    told = [value[index] for value in model.embed(["a", "b"]).tensors.values()]
    loss = (net((1 - share) * x + share * eps, s, *told) - (eps - x)).square().mean()
    loss.backward()
    # The first step of AdamW moves each weight by the rate, against its gradient's sign.
    for got, was, parameter in zip(
        learned.denoiser.parameters(),
        model.denoiser.parameters(),
        net.parameters(),
        strict=True,
    ):
        clear = parameter.grad.abs() > 1e-5
        expected = was * (1 - 1e-3 * 1e-2) - 1e-3 * parameter.grad.sign()
        torch.testing.assert_close(got[clear], expected[clear], atol=1e-5, rtol=0)


def test_the_denoising_error_is_the_flow_s(model, smooth_images):
    images, stream = smooth_images(1, 16), seeded()
    got = denoise(model, images, model.embed(["a"]), [seeded()], sample=False)
    mean = model.autoencoder.encoder(2 * images - 1)[:, :CHANNELS]
    x = (mean - 0.0609) * 1.5305
    s = torch.randn(1, generator=stream).sigmoid()
    eps = torch.randn(x.shape[1:], generator=stream)[None]
    torch.testing.assert_close(got.latents, x)
    torch.testing.assert_close(got.wanted, eps - x)
    torch.testing.assert_close(
        got.predicted, model.predict((1 - s) * x + s * eps, s, model.embed(["a"]))
    )


def test_latents_come_back_from_their_scale(model):
    latents = torch.randn(2, CHANNELS, 4, 4, generator=seeded())
    torch.testing.assert_close(model.unscale(model.scale(latents)), latents)
    assert not torch.allclose(model.scale(latents), latents * model.latent_scale)


@pytest.mark.parametrize(("timestep", "time"), [(10, 0.09), (100, 0.26), (150, 0.31), (300, 0.45)])
def test_published_timesteps_on_a_flow(model, timestep, time):
    """s = sqrt(1 - a) / (sqrt(a) + sqrt(1 - a)) with Stable Diffusion's a."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    a = np.cumprod(1 - betas)[timestep - 1]
    level = model.level_of(diffusion_snr(timestep / 1000))
    assert level == pytest.approx((1 - a) ** 0.5 / (a**0.5 + (1 - a) ** 0.5), rel=1e-6)
    assert level == pytest.approx(time, abs=0.01)


@pytest.mark.parametrize("timestep", [1, 10, 150, 1000])
def test_published_timesteps_on_stable_diffusion_are_its_own(atelier, timestep):
    assert atelier.level_of(diffusion_snr(timestep / 1000)) == timestep - 1


@pytest.mark.parametrize("share", [0, 0.0001, 1.1])
def test_a_share_is_a_timestep(share):
    with pytest.raises(ValueError, match="share must lie"):
        diffusion_snr(share)


def test_what_any_model_redraws_is_what_diffusers_does(atelier, smooth_images):
    """The interface's own SDEdit against Stable Diffusion's pipeline."""
    images, streams = smooth_images(2, 64), [per_image_generators(seeded(), 2) for _ in range(2)]
    settings = {"taken": 3, "steps": 20}
    ours = LatentDiffusion.redraw(atelier, images, generator=streams[0], **settings)
    theirs = atelier.redraw(images, generator=streams[1], **settings)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert (ours - images).abs().mean() > 0.01


def test_conditioning_is_taken_and_repeated_by_row():
    told = Conditioning({"tokens": torch.rand(3, 5, 4), "pooled": torch.rand(3, 4)})
    assert len(told) == 3
    for index in (torch.tensor([2, 2]), [0, 1], slice(1, 3)):
        for name, value in told.tensors.items():
            assert torch.equal(told[index].tensors[name], value[index])
    one = told[[1]].expand(4)
    assert {name: value.shape for name, value in one.tensors.items()} == {
        "tokens": (4, 5, 4), "pooled": (4, 4)
    }  # fmt: skip
    with pytest.raises(ValueError, match="one number of rows"):
        Conditioning({"tokens": torch.rand(3, 5), "pooled": torch.rand(2, 5)})
    with pytest.raises(ValueError, match="one number of rows"):
        Conditioning({})


def installed() -> list[Path]:
    """Modules that may not depend on a family: all but the families and what trains the pack."""
    roots = [Path(package.__file__).parent for package in
             (attacks, benchmark, leaderboard, metrics, protections)]  # fmt: skip
    exempt = ("models/families", "atelier/train")
    return [
        path
        for root in roots
        for path in sorted(root.rglob("*.py"))
        if not any(part in path.relative_to(root).as_posix() for part in exempt)
    ]


#: Of what a family's models are made, which others do not touch.
INNER = {
    "add_noise", "alphas_cumprod", "get_velocity", "inpainting_unet", "noise_schedule", "pipeline",
    "prediction_type", "text_encoder", "tokenizer", "transformer", "unet", "vae",
    "vae_scale_factor",
}  # fmt: skip


def trespasses(source: str) -> list[str]:
    """What a module takes of a family: networks and pipelines of diffusers, a family's own modules,
    insides of its models, and its name in a comparison."""
    found = []
    packages = {loader.split(".")[-2] for loader in FAMILIES.values()}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("diffusers"):
            found += [alias.name for alias in node.names if is_network(node.module, alias.name)]
        elif isinstance(node, ast.Attribute) and node.attr in INNER:
            found.append(node.attr)
        elif isinstance(node, ast.Constant) and node.value in {*FAMILIES, *packages}:
            found.append(node.value)
    return found


def is_network(module: str | None, name: str) -> bool:
    made = getattr(importlib.import_module(module or ""), name)
    bases = (diffusers.DiffusionPipeline, diffusers.ModelMixin, diffusers.SchedulerMixin)
    return inspect.isclass(made) and issubclass(made, bases)


def test_no_module_knows_a_family():
    files = installed()
    assert len(files) > 250
    found = {path: told for path in files if (told := trespasses(path.read_text()))}
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "from diffusers import UNet2DConditionModel",
        "def f():\n    from diffusers import FluxPipeline",
        "from diffusers import DDIMScheduler",
        "model.pipeline.unet(x)",
        "model.noise_schedule.add_noise(x, e, t)",
        "if model.family == 'stable_diffusion': pass",
        "if name == 'StableDiffusionPipeline': pass",
    ],
)
def test_such_a_module_would_be_found(source):
    assert trespasses(source)
    assert not trespasses("from diffusers.training_utils import EMAModel\nmodel.encode(x)")
