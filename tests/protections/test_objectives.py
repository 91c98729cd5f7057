"""Every gradient protection reaches its own objective, further than noise of equal budget does."""

from __future__ import annotations

import pytest
import torch
from contexts import context

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import (
    Ace,
    AdvDM,
    AdvPaint,
    Aspl,
    Caat,
    DiffusionGuard,
    DisDiff,
    Fsmg,
    Glaze,
    MetaCloak,
    Mist,
    Nightshade,
    Pap,
    PhotoGuardDiffusion,
    PhotoGuardEncoder,
    Pid,
    Sds,
    SimAC,
    StyleGuard,
    StyleProtect,
)

LINF = 16 / 255
PGD = {"linf": LINF, "step": 2 / 255}
LEARNING = {"surrogate_lr": 1e-4, "batch": 2}
BUILDERS = {
    "glaze": lambda: Glaze(
        target="engraving", steps=20, lr=0.02, transfer_steps=5, linf=LINF, p=0.1, strength=0.8
    ),
    "photoguard-encoder": lambda: PhotoGuardEncoder(steps=20, **PGD),
    "photoguard-diffusion": lambda: PhotoGuardDiffusion(
        radius=1.0, step=0.1, steps=20, repeats=1, diffusion_steps=2
    ),
    "advdm": lambda: AdvDM(steps=20, **PGD),
    "mist": lambda: Mist(steps=20, **PGD),
    "mist-textural": lambda: Mist(mode="textural", steps=20, **PGD),
    "mist-semantic": lambda: Mist(mode="semantic", steps=20, **PGD),
    "sds": lambda: Sds(steps=20, **PGD),
    "sds-ascending": lambda: Sds(ascend=True, steps=20, **PGD),
    "sdst": lambda: Sds(target="pattern", steps=20, **PGD),
    "fsmg": lambda: Fsmg(surrogate_steps=5, steps=20, **PGD, **LEARNING),
    "aspl": lambda: Aspl(rounds=4, moves=5, surrogate_steps=1, **PGD, **LEARNING),
    "caat": lambda: Caat(steps=20, **PGD, **LEARNING),
    "ace": lambda: Ace(rounds=3, moves=7, surrogate_steps=2, **PGD, **LEARNING),
    "ace-plus": lambda: Ace(
        rounds=3, moves=7, surrogate_steps=2, latent_weight=100.0, **PGD, **LEARNING
    ),
    "metacloak": lambda: MetaCloak(
        trials=1, stages=2, stage_steps=3, visits=3, moves=4, surrogate_steps=1, **PGD, **LEARNING
    ),
    "diffusion-guard": lambda: DiffusionGuard(steps=20, **PGD),
    "simac": lambda: SimAC(searches=2, rounds=4, moves=5, surrogate_steps=1, **PGD, **LEARNING),
    "simac-paper": lambda: SimAC(
        source="paper", searches=1, rounds=4, moves=5, surrogate_steps=1, **PGD, **LEARNING
    ),
    "pap": lambda: Pap(steps=20, prompt_steps=2, prompt="a painting", **PGD),
    "pid": lambda: Pid(steps=20, **PGD),
    "nightshade": lambda: Nightshade(
        prompt="engraving", sampling_steps=3, steps=20, linf=LINF, step=4 / 255
    ),
    "style-guard": lambda: StyleGuard(rounds=5, moves=6, surrogate_steps=1, **PGD, **LEARNING),
    "style-protect": lambda: StyleProtect(
        layers="up_blocks.0 down_blocks.2", steps=20, **PGD, **LEARNING
    ),
    "disdiff": lambda: DisDiff(rounds=4, moves=5, surrogate_steps=1, **PGD, **LEARNING),
    "disdiff-attention": lambda: DisDiff(
        weight=100.0, rounds=4, moves=5, surrogate_steps=1, **PGD, **LEARNING
    ),
    "adv-paint": lambda: AdvPaint(steps=20, linf=LINF, step=4 / 255),
}
DRAWS = 6


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.fixture(scope="module")
def works():
    """Two portraits by an artist the model has not seen, with titles and head masks."""
    artist = world.artists("validation")[0]
    painted = [world.paint(artist, "portrait", "heldout", index) for index in range(2)]
    images = torch.cat([to_tensor(work.image[None]) for work in painted])
    masks = torch.stack([torch.from_numpy(work.head_mask) for work in painted])
    return images, [work.title for work in painted], masks


def given(model, works):
    """The context with the works' titles and masks."""
    return context(1, model=model, titles=works[1], masks=works[2])


def objectives(protection, model, works, several):
    """For each of `several` batches the mean of the loss (B,) over draws that are the same for
    all."""
    count = len(works[0])
    streams = per_image_generators(torch.Generator().manual_seed(2), count)
    state = protection.prepare(works[0], given(model, works), streams)
    with torch.no_grad():
        return [
            torch.stack(
                [
                    protection.loss(
                        state,
                        x,
                        0,
                        per_image_generators(torch.Generator().manual_seed(draw), count),
                    )
                    for draw in range(DRAWS)
                ]
            ).mean(0)
            for x in several
        ]


@pytest.mark.parametrize("name", BUILDERS)
def test_objective_falls_twice_as_far_as_under_noise(name, model, works):
    images = works[0]
    protection = BUILDERS[name]()
    protected = protection(images, given(model, works)).images
    draw = torch.Generator().manual_seed(4)
    signs = 2 * torch.randint(2, images.shape, generator=draw).float() - 1
    if protection.budget.l2 is None:
        noisy = (images + LINF * signs).clamp(0, 1)
    else:
        signs = signs * works[2][:, None]
        noisy = images + protection.budget.l2 * signs / signs.flatten(1).norm(dim=1)[0]
        noisy = noisy.clamp(0, 1)
    clean, reached, by_noise = objectives(
        BUILDERS[name](), model, works, (images, protected, noisy)
    )
    fall, fall_by_noise = (clean - reached).mean(), (clean - by_noise).mean()
    assert fall > 0
    assert fall >= 2 * fall_by_noise


@pytest.mark.parametrize("name", ["advdm", "mist", "sds", "sdst"])
def test_images_do_not_depend_on_their_neighbours(name, model, works):
    images, titles, masks = works
    builder = BUILDERS[name]
    together = builder()(images, given(model, works)).images
    alone = builder()(images[:1], given(model, (images[:1], titles[:1], masks[:1]))).images
    apart = (together[:1] - alone).abs()
    # Convolutions round otherwise in a larger batch, by which a few signs near 0 may turn.
    assert (apart > 2 / 255).float().mean() < 0.01
    assert apart.mean() < 0.1 / 255


@pytest.mark.parametrize("name", ["aspl", "metacloak"])
def test_surrogates_learn_and_the_model_stays(name, model, works):
    before = {k: v.clone() for k, v in model.pipeline.unet.state_dict().items()}
    first = BUILDERS[name]()(works[0], given(model, works)).images
    again = BUILDERS[name]()(works[0], given(model, works)).images
    assert torch.equal(first, again)
    after = model.pipeline.unet.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not any(p.requires_grad for p in model.pipeline.unet.parameters())


def test_sds_gradient_is_the_residual_through_the_encoder(model, works):
    """Against the score written out: J_E^T (eps_theta - eps), with the U-Net taken as constant."""
    images = works[0][:1]
    sds = Sds(prompt="engraving")
    streams = lambda: per_image_generators(torch.Generator().manual_seed(7), 1)  # noqa: E731
    state = sds.prepare(images, given(model, works), streams())
    x = images.clone().requires_grad_(True)
    (got,) = torch.autograd.grad(sds.loss(state, x, 0, streams()).sum(), x)
    stream = streams()
    posterior = model.pipeline.vae.encode(2 * x - 1).latent_dist
    drawn = torch.randn(posterior.mean.shape[1:], generator=stream[0])
    latents = (posterior.mean + posterior.std * drawn) * model.latent_scale
    t = torch.randint(1000, (1,), generator=stream[0])
    noise = torch.randn(latents.shape[1:], generator=stream[0])[None]
    noisy = model.pipeline.scheduler.add_noise(latents.detach(), noise, t)
    with torch.no_grad():
        residual = model.predict(noisy, t, model.embed(["engraving"])) - noise
    (expected,) = torch.autograd.grad((residual * latents).sum(), x)
    assert torch.allclose(got, expected, atol=1e-5 * float(expected.abs().max()))


def test_titles_may_be_prompts(model, works):
    """A prompt with "{title}" differs from one without in what the surrogate learns."""
    plain = Fsmg(surrogate_steps=2, steps=3, **PGD, **LEARNING)
    titled = Fsmg(surrogate_steps=2, steps=3, prompt="{title}", **PGD, **LEARNING)
    images = [p(works[0], given(model, works)).images for p in (plain, titled)]
    assert not torch.equal(*images)


@pytest.mark.parametrize(
    ("match", "build"),
    [
        ("mode must be", lambda: Mist(mode="both")),
        ("rounds and moves", lambda: Aspl(rounds=0)),
        ("rounds and moves", lambda: Ace(moves=0)),
        ("must be at least 1", lambda: MetaCloak(stages=0)),
        ("steps must be at least 1", lambda: AdvDM(steps=0)),
    ],
)
def test_bad_parameters(match, build):
    with pytest.raises(ValueError, match=match):
        build()
