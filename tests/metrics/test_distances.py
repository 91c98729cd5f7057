"""Distances against sewar, numpy and a naive LPIPS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sewar
import skimage.data
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from impress_bench import metrics
from impress_bench.metrics import l2, linf, lpips, lpips_budget, psnr, ssim, vif_p
from impress_bench.metrics.lpips import _network


def photo(name: str, side: int) -> Tensor:
    """A skimage photo as float64 (1, 3, side, side) with 8-bit values."""
    image = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].double() / 255
    image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
    return (image * 255).round() / 255


def noisy(images: Tensor, std: float, seed: int = 0) -> Tensor:
    """8-bit images with normal noise from numpy, whose streams are stable."""
    noise = np.random.default_rng(seed).standard_normal(images.shape)
    return ((images + std * torch.from_numpy(noise)).clamp(0, 1) * 255).round() / 255


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    target = torch.cat([photo("astronaut", 96), photo("chelsea", 96), photo("coffee", 96)])
    return noisy(target, 0.1), target


def to_bytes(image: Tensor) -> np.ndarray:
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


def test_package_binds_functions_without_torch() -> None:
    code = (
        "import sys; from impress_bench.metrics.ssim import ssim as function\n"
        "from impress_bench.metrics import ssim\n"
        "assert ssim is function and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


against_sewar = pytest.mark.parametrize(
    ("metric", "reference"),
    [
        (ssim, lambda p, t: sewar.ssim(t, p)[0]),
        (psnr, lambda p, t: sewar.psnr(t, p)),
        (vif_p, lambda p, t: sewar.vifp(t, p)),
    ],
    ids=["ssim", "psnr", "vif-p"],
)


def half_flat(image: Tensor) -> Tensor:
    """Without any texture on its left half."""
    image = image.clone()
    image[..., : image.shape[-1] // 2] = 128 / 255
    return image


#: Images whose statistics are unlike a photo's, made of one.
EDGES = {
    "grey": lambda image: image.mean(1, keepdim=True).mul(255).round().div(255).expand_as(image),
    "dark": lambda image: (image * 3).round() / 255,
    "two levels": lambda image: (image > 0.5).double(),
    "half flat": half_flat,
    "one colour lacking": lambda image: image * torch.tensor([1.0, 0, 1])[:, None, None],
    "oblong": lambda image: image[..., : image.shape[-1] * 2 // 3],
    "smallest, odd sides": lambda image: image[..., :41, :43],
}


@against_sewar
@pytest.mark.parametrize("side", [64, 100, 256, 512])
def test_equals_sewar_at_any_size(metric, reference, side) -> None:
    target = photo("astronaut", side)
    preds = noisy(target, 0.08)
    expected = reference(to_bytes(preds[0]), to_bytes(target[0]))
    assert metric(preds, target).item() == pytest.approx(expected, abs=1e-6)


@against_sewar
@pytest.mark.parametrize("edge", list(EDGES))
def test_equals_sewar_on_edge_cases(metric, reference, edge) -> None:
    target = EDGES[edge](photo("chelsea", 96))
    preds = noisy(target, 0.08)
    with np.errstate(invalid="ignore"):
        expected = reference(to_bytes(preds[0]), to_bytes(target[0]))
    assert metric(preds, target).item() == pytest.approx(expected, abs=1e-6, nan_ok=True)


@against_sewar
def test_equals_sewar(metric, reference, pair) -> None:
    preds, target = pair
    expected = [reference(to_bytes(p), to_bytes(t)) for p, t in zip(preds, target, strict=True)]
    assert metric(preds, target).tolist() == pytest.approx(expected, abs=1e-6)
    single = metric(preds.float(), target.float())
    assert single.dtype == torch.float32
    assert single.tolist() == pytest.approx(expected, abs=1e-4)


def test_vif_p_is_not_symmetric(pair) -> None:
    assert ((vif_p(*pair) - vif_p(*reversed(pair))).abs() > 1e-3).all()


def test_vif_p_says_what_it_cannot_compare(pair) -> None:
    preds, target = pair
    for odd in (preds[..., :40], preds[:1]):
        with pytest.raises(ValueError, match="one shape with sides of at least 41"):
            vif_p(odd, target if odd.shape[-1] == 96 else target[..., :40])


def test_norms_are_numpys(pair) -> None:
    preds, target = pair
    difference = (preds - target).flatten(1).numpy()
    assert linf(preds, target).tolist() == pytest.approx(np.abs(difference).max(axis=1))
    assert l2(preds, target).tolist() == pytest.approx(np.linalg.norm(difference, axis=1))


def test_equal_images(pair) -> None:
    target = pair[1]
    for metric, value in ((linf, 0), (l2, 0), (lpips, 0), (ssim, 1), (vif_p, 1)):
        assert metric(target, target).tolist() == pytest.approx([value] * 3, abs=1e-9)
    assert psnr(target, target).tolist() == [float("inf")] * 3


def naive_lpips(x: Tensor, y: Tensor) -> float:
    """LPIPS written out from the paper, for one pair on [0, 1] in float64."""
    folder = Path(metrics.__file__).parent / "weights"
    weights = {k: v.double() for k, v in load_file(folder / "lpips_alex.safetensors").items()}
    convolutions = [(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]  # stride, padding
    layers = [k for k in weights if k.startswith("net.") and k.endswith(".weight")]
    layers.sort(key=lambda k: int(k.split(".")[2]))
    shift = torch.tensor([-0.030, -0.088, -0.188]).double().view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).double().view(1, 3, 1, 1)
    a, b = ((2 * image - 1 - shift) / scale for image in (x, y))
    total = 0.0
    for i, (layer, (stride, padding)) in enumerate(zip(layers, convolutions, strict=True)):
        if i in (1, 2):
            a, b = F.max_pool2d(a, 3, 2), F.max_pool2d(b, 3, 2)
        kernel, bias = weights[layer], weights[layer.replace("weight", "bias")]
        a, b = (F.conv2d(image, kernel, bias, stride, padding).relu() for image in (a, b))
        unit_a, unit_b = (f / (f.square().sum(1, keepdim=True).sqrt() + 1e-10) for f in (a, b))
        head = weights[f"lin{i}.model.1.weight"]
        total += float((head * (unit_a - unit_b).square()).sum(1).mean())
    return total


# Computed once with the unconverted float32 weights of torchvision and the lpips package.
@pytest.mark.parametrize(
    ("name", "side", "std", "expected"),
    [
        ("astronaut", 64, 0.1, 0.04446),
        ("chelsea", 224, 0.1, 0.64734),
        ("coffee", 224, 0.3, 1.0692),
    ],
)
def test_lpips_equals_naive_and_float32_weights(name, side, std, expected) -> None:
    target = photo(name, side)
    preds = noisy(target, std)
    assert lpips(preds, target).item() == pytest.approx(naive_lpips(preds, target), abs=1e-9)
    assert lpips(preds, target).item() == pytest.approx(expected, abs=1e-3)


def test_lpips_is_per_image(pair) -> None:
    preds, target = pair
    single = [lpips(p[None], t[None]).item() for p, t in zip(preds, target, strict=True)]
    assert lpips(preds, target).tolist() == pytest.approx(single, abs=1e-12)


def test_lpips_gradient_is_finite_where_deep_features_vanish() -> None:
    generator = torch.Generator().manual_seed(159)  # the first whose features vanish somewhere
    target = F.interpolate(torch.rand(1, 3, 14, 14, generator=generator).round(), (224, 224))
    network = _network("alex", torch.float32, torch.device("cpu"))
    assert (network.net(network.scaling_layer(2 * target - 1))[4].sum(dim=1) == 0).any()
    preds = (target + 0.05 * torch.randn(target.shape, generator=generator)).clamp(0, 1)
    target.requires_grad_(True)
    (gradient,) = torch.autograd.grad(lpips(preds, target).sum(), target)
    assert gradient.isfinite().all()


def test_lpips_gradient_is_its_difference_quotient() -> None:
    target = photo("coffee", 64)
    preds = noisy(target, 0.1).requires_grad_(True)
    (gradient,) = torch.autograd.grad(lpips_budget(preds, target).sum(), preds)
    direction, h = noisy(torch.zeros_like(target), 0.5, seed=1) - 0.5, 1e-8
    ahead, behind = (lpips_budget(preds + s * h * direction, target).item() for s in (1, -1))
    assert (gradient * direction).sum().item() == pytest.approx((ahead - behind) / 2 / h, rel=1e-5)


def test_budget_enlarges_small_images_only() -> None:
    small, large = photo("rocket", 64), photo("rocket", 240)
    enlarged = [F.interpolate(i, (224, 224), mode="bilinear") for i in (noisy(small, 0.1), small)]
    budget = lpips_budget(noisy(small, 0.1), small).item()
    assert budget == pytest.approx(lpips(*enlarged).item(), abs=1e-12)
    assert budget != pytest.approx(lpips(noisy(small, 0.1), small).item(), rel=0.05)
    pair = noisy(large, 0.1), large
    assert lpips_budget(*pair).item() == lpips(*pair).item()


def test_missing_weights_say_where_to_put_them(pair) -> None:
    with pytest.raises(FileNotFoundError, match=r"lpips_vgg\.safetensors.*tools/convert_lpips"):
        lpips(*pair, net="vgg")
    with pytest.raises(ValueError, match="known: alex, vgg"):
        lpips(*pair, net="squeeze")
