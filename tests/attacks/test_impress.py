"""IMPRESS's objective, its descent and its independence of batching."""

from __future__ import annotations

import copy

import pytest
import torch
from contexts import context
from torch import Tensor

from impress_bench.attacks import Impress
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image
from impress_bench.metrics import lpips


def generators(n: int, seed: int = 5) -> list[torch.Generator]:
    return per_image_generators(torch.Generator().manual_seed(seed), n)


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def protected(smooth_images) -> Tensor:
    """Float64 images on [-1, 1], away from its borders."""
    return 1.6 * smooth_images(3, 32).double() - 0.8


@pytest.fixture(scope="module")
def model(tiny_model):
    return tiny_model(torch.float64)


@pytest.mark.parametrize("source", ["released", "paper"])
def test_objective_passes_finite_differences(model, protected, source) -> None:
    impress = Impress(source=source, alpha=3.0, lpips_budget=0.01)
    x = protected + 0.1 * randn_per_image(generators(3), protected)
    assert (lpips((x + 1) / 2, (protected + 1) / 2, resize=224) > 0.011).all()
    direction = randn_per_image(generators(3, seed=6), protected)
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(impress.objective(protected, model)(x).sum(), x)
    h = 1e-8
    with torch.no_grad():
        ahead, behind = (
            impress.objective(protected, model)(x + s * h * direction).sum().item() for s in (1, -1)
        )
    slope = (gradient * direction).sum().item()
    assert slope == pytest.approx((ahead - behind) / (2 * h), rel=1e-5)


def test_objective_is_eq_4_1(model, protected) -> None:
    x = protected + 0.1 * randn_per_image(generators(3), protected)
    with torch.no_grad():
        squares = (x - 2 * model.reconstruct((x + 1) / 2) + 1).square().flatten(1)
        distance = lpips((x + 1) / 2, (protected + 1) / 2, resize=64)
        excess = (distance - 0.001).clamp(min=0)
        assert (excess > 0).all()
        for source, consistency in (("released", squares.mean(1)), ("paper", squares.sum(1))):
            impress = Impress(source=source, alpha=2.0, lpips_budget=0.001, lpips_resize=64)
            expected = (consistency + 2.0 * excess).tolist()
            assert impress.objective(protected, model)(x).tolist() == pytest.approx(expected)
        free = Impress(alpha=2.0, lpips_budget=5.0).objective(protected, model)(x)
        assert free.tolist() == pytest.approx(squares.mean(1).tolist())


def test_batched_equals_one_by_one(model, protected) -> None:
    impress = Impress(steps=20, lr=0.05, lpips_budget=0.001, lpips_resize=64)
    x = (protected + 0.1 * randn_per_image(generators(3), protected)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(impress.objective(protected, model)(x).sum(), x)
    together = impress.optimise(protected, model, generators(3), silent)
    assert (together - protected).abs().max() > 0.1
    for i, generator in enumerate(generators(3)):
        one = x[i : i + 1].detach().requires_grad_(True)
        loss = impress.objective(protected[i : i + 1], model)(one).sum()
        (alone,) = torch.autograd.grad(loss, one)
        assert (alone[0] - gradient[i]).abs().max() < 1e-6 * gradient[i].abs().max()
        result = impress.optimise(protected[i : i + 1], model, [generator], silent)
        assert (result[0] - together[i]).abs().max() < 1e-9


def test_paper_is_plain_descent(model, protected) -> None:
    impress = Impress(source="paper", steps=3, lr=0.002, sigma=0.3, alpha=0.5, lpips_resize=64)
    x = protected + 0.3 * randn_per_image(generators(3), protected)
    assert x.abs().max() > 1
    for _ in range(3):
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(impress.objective(protected, model)(x).sum(), x)
        x = (x - 0.002 * gradient).clamp(-1, 1)
    result = impress.optimise(protected, model, generators(3), silent)
    assert (result - x).abs().max() < 1e-12
    assert result.abs().max() == 1


def test_released_is_annealed_adam_with_scaled_eps(model, protected) -> None:
    """Written out from Adam's definition; eps from 1e-5 at 512 px."""
    lr, steps, floor = 0.05, 4, 1e-5
    impress = Impress(steps=steps, lr=lr, alpha=0.5, lpips_resize=64)
    eps = 1e-5 * (3 * 512 * 512) / (3 * 32 * 32)
    x = protected + 0.1 * randn_per_image(generators(3), protected)
    m = v = torch.zeros_like(x)
    for step in range(steps):
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(impress.objective(protected, model)(x).sum(), x)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        m_hat, v_hat = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        angle = torch.tensor(torch.pi * step / steps, dtype=torch.float64)
        rate = floor + (lr - floor) * (1 + angle.cos()) / 2
        x = (x - rate * m_hat / (v_hat.sqrt() + eps)).clamp(-1, 1)
    result = impress.optimise(protected, model, generators(3), silent)
    assert (result - x).abs().max() < 1e-12
    sign_like = Impress(steps=steps, lr=lr, alpha=0.5, lpips_resize=64, eps=1e-8)
    other = sign_like.optimise(protected, model, generators(3), silent)
    assert (other - result).abs().max() > 0.01


@pytest.mark.parametrize("settings", [{"lr": 0.03}, {"source": "paper", "lr": 4e-3}])
def test_call_lowers_inconsistency(tiny_model, smooth_images, settings) -> None:
    single, images, calls = tiny_model(torch.float32), smooth_images(2, 32), []
    watched = context(model=single, progress=lambda done, total: calls.append((done, total)))
    before = copy.deepcopy(single.vae.state_dict())
    impress = Impress(steps=12, sigma=0.02, lpips_resize=64, **settings)
    purified = impress(images, watched).images
    assert calls == [(i + 1, 12) for i in range(12)]
    assert all(torch.equal(before[name], value) for name, value in single.vae.state_dict().items())
    assert all(weight.grad is None for weight in single.vae.parameters())

    def inconsistency(x: Tensor) -> Tensor:
        with torch.no_grad():
            return (x - single.reconstruct(x)).square().mean(dim=(1, 2, 3))

    assert (inconsistency(purified) < inconsistency(images)).all()
    assert torch.equal(impress(images, context(model=single)).images, purified)
    assert not torch.equal(impress(images, context(model=single, seed=1)).images, purified)


def test_bad_parameters_and_missing_model(smooth_images) -> None:
    with pytest.raises(ValueError, match="'released' or 'paper'"):
        Impress(source="reference")
    with pytest.raises(ValueError, match="steps must be at least 1"):
        Impress(steps=0)
    with pytest.raises(PluginError, match="impress: needs a model"):
        Impress(steps=1)(smooth_images(1, 32), context(model=None))
