"""BlurGuard: its loop written out, what it leaves of noise, and what it keeps of the base."""

from __future__ import annotations

import pytest
import torch
from contexts import context
from objectives import Aim
from skimage.segmentation import slic

from impress_bench.benchmark.contract import Budget
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.protections import BlurGuard, PhotoGuardEncoder
from impress_bench.protections.solvers.region_blur import colour_regions, region_blur, ring_powers

EPS, SIDE = 16 / 255, 40


@pytest.fixture(scope="module")
def images(smooth_images):
    return smooth_images(2, SIDE).double()


def adapted(**settings):
    return BlurGuard(**settings)(PhotoGuardEncoder(target="zero", linf=EPS), "photoguard-encoder")


def naive(model, image, generator, steps, learned, lr, step):
    """One image, as released: two-dimensional kernels of 33 pixels, on [-1, 1] pixels."""
    x, eps = 2 * image[None] - 1, 2 * EPS
    labels = slic(image.permute(1, 2, 0).numpy(), n_segments=5, start_label=0)
    masks = [torch.from_numpy(labels == label).double() for label in range(labels.max() + 1)]
    distance = torch.arange(-16, 17).double()

    def blur(p, logs):
        parts = []
        for mask, log in zip(masks, logs, strict=True):
            squares = distance[:, None] ** 2 + distance[None] ** 2
            kernel = torch.exp(-squares / (2 * log.exp() ** 2))
            kernel = (kernel / kernel.sum()).expand(3, 1, 33, 33)
            padded = torch.nn.ReflectionPad2d(16)(p)
            parts.append(torch.nn.functional.conv2d(padded, kernel, groups=3) * mask)
        return sum(parts).clamp(-eps, eps)

    def rings(pixels):
        power = (torch.fft.fft2(pixels[0] / 2 + 0.5).abs() ** 2).sum(0)
        place = torch.arange(SIDE) - (SIDE - 1) / 2
        r = (place[:, None] ** 2 + place**2).sqrt().round()
        return torch.stack([power[r == i].sum() for i in range(int(r.max()) + 1)])

    logs, p = torch.zeros(len(masks), dtype=torch.double), torch.zeros_like(x)
    optimiser = torch.optim.Adam([logs.requires_grad_(True)], lr=lr)
    for i in range(steps):
        if i < learned:
            noise = torch.randn(3, SIDE, SIDE, generator=generator).double().clamp(-eps, eps)
            noisy = (x + blur(noise[None], logs)).clamp(-1, 1)
            loss = 10 * ((rings(noisy) + 1e-8).log10() - (rings(x) + 1e-8).log10()).abs().max()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            continue
        p = p.detach().requires_grad_(True)
        latents = model.vae.encode((x + blur(p, logs.detach())).clamp(-1, 1)).latent_dist.mean
        (slope,) = torch.autograd.grad((latents**2).mean(), p)
        p = p - (step - (step - step / 100) / steps * i) * 2 * slope / slope.norm()
    return ((x + blur(p, logs.detach())).clamp(-1, 1)[0].detach() + 1) / 2


def test_the_loop_is_the_released_one(tiny_model, images):
    model, sizes = tiny_model(torch.float64), {"steps": 9, "sigma_steps": 4}
    protection = adapted(**sizes, sigma_lr=0.3, step=0.4)
    got = protection.solver.solve(protection, images, context(3, model=model))
    streams = per_image_generators(torch.Generator().manual_seed(3), 2)
    for image, stream, made in zip(images, streams, got, strict=True):
        expected = naive(model, image, stream, 9, 4, 0.3, 0.4)
        assert (made - expected).abs().max() < 1e-5
        assert (made - image).abs().max() > 1e-3


def test_the_objective_falls_twice_as_far_as_under_noise(tiny_model, images):
    model = tiny_model(torch.float64)
    protection = adapted(steps=40, sigma_steps=10, step=0.3)
    made = protection(images, context(1, model=model)).images
    draw = torch.Generator().manual_seed(4)
    signs = 2 * torch.randint(2, images.shape, generator=draw) - 1
    noisy = (images + EPS * signs).clamp(0, 1)
    clean, reached, by_noise = (
        model.encode(x.double()).square().flatten(1).sum(1) for x in (images, made, noisy)
    )
    assert (clean - reached > 2 * (clean - by_noise).clamp(min=0)).all()


def test_what_is_left_is_smooth(tiny_model, images):
    """Beside PGD on the same objective: less of the perturbation's power is fine detail."""
    model, base = tiny_model(torch.float64), PhotoGuardEncoder(target="zero", linf=EPS, steps=20)

    def fine(x):
        power = torch.fft.fftshift(torch.fft.fft2(x - images)).abs().square().sum((0, 1))
        quarter = slice(SIDE // 4, -(SIDE // 4))
        return 1 - power[quarter, quarter].sum() / power.sum()

    plain = base(images, context(1, model=model)).images
    blurred = adapted(steps=60, sigma_steps=40, step=0.3)(images, context(1, model=model)).images
    assert fine(blurred) < 0.5 * fine(plain)


def test_regions_divide_the_image_whatever_else_is_in_the_batch(images):
    masks = colour_regions(images, 5)
    assert torch.equal(masks.sum(1), torch.ones_like(masks[:, 0]))
    alone = colour_regions(images[:1], 5)
    assert torch.equal(masks[:1, : alone.shape[1]], alone)
    assert not masks[:1, alone.shape[1] :].any()
    assert colour_regions(images, 1).shape == (2, 1, SIDE, SIDE)


def test_a_blur_keeps_what_is_constant_and_fits_small_images():
    flat = torch.full((1, 3, 6, 9), 0.3, dtype=torch.double)
    sigmas, masks = torch.tensor([[0.5, 4.0]]).double(), torch.zeros(1, 2, 6, 9).double()
    masks[:, 0, :3], masks[:, 1, 3:] = 1, 1
    assert torch.allclose(region_blur(flat, sigmas, masks), flat)


def test_rings_hold_all_power(images):
    total = torch.fft.fft2(images).abs().square().sum((1, 2, 3))
    assert torch.allclose((10 ** ring_powers(images)).sum(1), total)


def test_hard_budgets_of_the_base_hold_and_its_region_too(images):
    class Short(Aim):
        def __init__(self, target):
            super().__init__(target)
            self.budget = Budget(l2=0.5)

        def movable(self, images, context):
            return (torch.arange(SIDE) < 20).to(images)

    class Host:
        device, dtype = torch.device("cpu"), torch.float64

    protection = BlurGuard(steps=8, sigma_steps=2, step=2.0)(Short(1 - images), "aim")
    made = protection(images, context(model=Host()))
    assert made.l2.min() > 0.3
    assert made.l2.max() <= 0.5 + 1e-6
    assert torch.equal(made.images[..., 20:], images[..., 20:])


@pytest.mark.parametrize("more", [{"steps": 1}, {"sigma_steps": 150}, {"regions": 0}])
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must be"):
        BlurGuard(**more)
