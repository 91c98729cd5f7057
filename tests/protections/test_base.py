"""What the final call of a protection checks, rounds and measures."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from contexts import context
from torch import Tensor

from impress_bench.attacks import GaussianNoise, Impress, NoisyUpscaling
from impress_bench.benchmark.contract import Context, PluginError, State, VisibleBudget
from impress_bench.benchmark.pixels import round_toward
from impress_bench.metrics import l2, linf, lpips_budget
from impress_bench.protections import (
    Budget,
    Glaze,
    GradientProtection,
    Identity,
    Mist,
    PhotoGuardEncoder,
    Protection,
    RandomNoise,
)
from impress_bench.protections.adaptations.o_pgd import OPgd
from impress_bench.protections.base import OverBudget


class Cloak(Protection):
    """Answers whatever a test put in, whatever it is."""

    name: ClassVar[str] = "cloak"

    def __init__(self, change, budget: Budget | None = None) -> None:
        self.change = change
        self.budget = budget or Budget()

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        return self.change(images)


def wobble(images: Tensor, size: float = 10.4 / 255) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(images.shape, generator=generator).to(images)
    return (images + size * (2 * noise - 1)).clamp(0, 1)


def test_identity_changes_nothing(smooth_images) -> None:
    images = smooth_images(2, 64)
    protected = Identity()(images, context())
    assert torch.equal(protected.images, images)
    assert protected.linf.tolist() == protected.l2.tolist() == protected.lpips.tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounds_toward_the_original(smooth_images, dtype) -> None:
    images = smooth_images(2, 64)
    exact = wobble(images)
    protected = Cloak(wobble)(images.to(dtype), context())
    levels = protected.images * 255
    assert protected.images.dtype == torch.float32
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    published, wanted = protected.images - images, exact - images
    assert (published.abs() <= wanted.abs() + 5e-6).all()
    assert ((wanted - published).abs() < 1 / 255 + 1e-6).all()
    assert (published.abs() > 8 / 255).any()


def test_rounding_keeps_whole_levels() -> None:
    originals = (torch.arange(256) / 255).view(1, 1, 16, 16)
    for shift in (-16, -1, 0, 1, 16):
        wanted = (torch.arange(256) + shift).clamp(0, 255).view(1, 1, 16, 16)
        shifted = (originals + shift / 255).clamp(0, 1)
        assert torch.equal((round_toward(shifted, originals) * 255).round().long(), wanted)
    assert torch.equal(round_toward(originals + 0.99 / 255, originals), originals)


def test_measures_the_published_image(smooth_images) -> None:
    images = smooth_images(3, 64)
    protected = Cloak(wobble)(images, context())
    for name, metric in (("linf", linf), ("l2", l2), ("lpips", lpips_budget)):
        assert torch.equal(getattr(protected, name), metric(protected.images, images))


def test_originals_off_the_grid_are_rounded_first() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    protected = Identity()(images, context())
    assert torch.equal(protected.images, (images * 255).round() / 255)
    assert protected.linf.item() == 0


def test_over_budget_names_images_and_carries_measurements(smooth_images) -> None:
    images = smooth_images(2, 64)

    def shift_second(x: Tensor) -> Tensor:
        return torch.cat([x[:1], (x[1:] + 9 / 255).clamp(0, 1)])

    assert Cloak(shift_second, Budget(linf=9 / 255))(images, context())
    with pytest.raises(
        OverBudget, match=r"^cloak: over budget, image 1: linf 0\.03529 >"
    ) as caught:
        Cloak(shift_second, Budget(linf=8 / 255))(images, context())
    assert caught.value.state is State.OVER_BUDGET
    assert caught.value.measured.linf.tolist() == pytest.approx([0, 9 / 255])
    assert Cloak(shift_second, Budget(linf=8 / 255, soft=frozenset({"linf"})))(images, context())


def spoil(value: float):
    def change(images: Tensor) -> Tensor:
        images = images.clone()
        images[0, 0, 0, 0] = value
        return images

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil(float("nan")), "cloak: output holds 1 NaN or infinite"),
        (spoil(1.01), r"cloak: output must lie in \[0, 1\].*\.clamp\(0, 1\)"),
        (lambda x: x[:, :, 1:], "cloak: output must have the shape of its input"),
        (lambda x: x.half(), r"must be float32 or float64, not torch.float16; .*to\(images.dtype"),
        (lambda x: x.numpy(), "cloak: output must be a torch.Tensor, not ndarray$"),
        (lambda x: 2 * x - 1, r"\(x \+ 1\) / 2 if they are on \[-1, 1\]"),
        (lambda x: 255 * x, "divide by 255"),
    ],
)
def test_bad_output_names_the_plugin(smooth_images, change, message) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        Cloak(change)(smooth_images(1, 64), context())
    assert caught.value.state is State.FAILED


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 3, 64, 64), float("inf")), "input holds 12288 NaN or infinite"),
        (torch.full((1, 3, 64, 64), 255.0), r"input must lie in \[0, 1\]"),
        (torch.zeros(3, 64, 64), r"input must be \(B, 3, H, W\)"),
        (torch.zeros(1, 4, 64, 64), r"input must be \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), r"input must be float32.*float\(\) / 255"),
    ],
)
def test_bad_input_names_the_plugin(images, message) -> None:
    with pytest.raises(PluginError, match="identity: " + message):
        Identity()(images, context())


def test_the_call_is_final() -> None:
    with pytest.raises(TypeError, match="final"):
        type("Sly", (Identity,), {"__call__": lambda self, images, context: images})


def test_a_gradient_protection_leaves_perturb_to_its_solver() -> None:
    with pytest.raises(TypeError, match=r"overrides perturb, .* adaptations would drop it"):
        type("Sly", (GradientProtection,), {"perturb": lambda self, images, context: images})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Budget(linf=16), r"budget linf .* not 16; did you mean 16/255\?"),
        (lambda: PhotoGuardEncoder(linf=8), "did you mean 8/255"),
        (lambda: Mist(step=2), "step .* did you mean 2/255"),
        (lambda: RandomNoise(linf=4), "did you mean 4/255"),
        (lambda: Glaze(lr=2.55), r"lr is on \[-1, 1\] pixels .* did you mean 2.55/127.5"),
        (lambda: Glaze(linf=12), "did you mean 12/255"),
        (lambda: OPgd(step=1.5), "did you mean 1.5/255"),
        (lambda: GaussianNoise(std=25), "did you mean 25/255"),
        (lambda: NoisyUpscaling(std=13), "did you mean 13/255"),
        (lambda: Impress(sigma=12.75), "did you mean 12.75/127.5"),
    ],
)
def test_strengths_in_8_bit_levels_are_refused(build, message) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_budget_that_is_plainly_visible_warns(recwarn) -> None:
    Budget(linf=16 / 255)
    Budget(linf=0.2, soft=frozenset({"linf"}))
    assert not recwarn.list
    with pytest.warns(VisibleBudget, match="linf=32/255 is plainly visible"):
        Budget(linf=32 / 255)
