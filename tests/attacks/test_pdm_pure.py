"""PDM-Pure, on random weights of its layout, against a naive version with diffusers' schedule."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from contexts import context
from diffusers import DDPMScheduler, UNet2DModel

from impress_bench.attacks import PdmPure, PluginError
from impress_bench.attacks.pdm_pure import signal
from impress_bench.attacks.testing import PurifierConformance
from impress_bench.benchmark.conformance import checks
from impress_bench.benchmark.contract import State
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import place_of
from impress_bench.benchmark.seeds import per_image_generators


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    pixel_unet.new(3, 3, (8, 8, 16), groups=4).half().save_pretrained(folder)
    return folder


def schedule():
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True)


def naive(images, folder, timesteps, noised):
    """Image by image: noised to the level `noised`, then ancestral steps over `timesteps`, falling,
    whose alphas are ratios of the whole schedule's; as respaced diffusions are written."""
    network = UNet2DModel.from_pretrained(folder).float().eval()
    cumulative = schedule().alphas_cumprod.double()
    made = []
    streams = per_image_generators(torch.Generator().manual_seed(5), len(images))
    for image, stream in zip(images, streams, strict=True):
        a = cumulative[noised]
        noise = torch.randn(image.shape, generator=stream).double()
        x = a.sqrt() * (2 * image.double() - 1) + (1 - a).sqrt() * noise
        for i, t in enumerate(timesteps):
            a = cumulative[t]
            a_prev = cumulative[timesteps[i + 1]] if i + 1 < len(timesteps) else torch.tensor(1.0)
            beta = 1 - a / a_prev
            with torch.no_grad():
                eps = network(x.float()[None], t).sample[0].double()
            x0 = ((x - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)
            x = (a_prev.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - a_prev) * x) / (1 - a)
            if i + 1 < len(timesteps):
                z = torch.randn(image.shape, generator=stream).double()
                x = x + (beta * (1 - a_prev) / (1 - a)).sqrt() * z
        made.append(((x + 1) / 2).clamp(0, 1).float())
    return torch.stack(made)


@pytest.mark.parametrize(
    ("settings", "timesteps", "noised"),
    [
        ({}, [99, 88, 77, 66, 55, 44, 33, 22, 11, 0], 44),
        ({"denoised": 5}, [44, 33, 22, 11, 0], 44),
        ({"steps": 3, "last": 501, "noised": 3, "denoised": 3}, [501, 250, 0], 501),
        ({"noised": 1, "denoised": 1}, [0], 0),
    ],
)
def test_the_loop_written_out(weights, smooth_images, settings, timesteps, noised):
    images = smooth_images(2, 32)
    purifier = PdmPure(weights=str(weights), **settings)
    with torch.no_grad():
        purified = purifier.purify(images, context(5))
    assert (purified - naive(images, weights, timesteps, noised)).abs().max() < 1e-4
    assert (purified - images).abs().max() > 1e-3


def test_the_signal_is_the_schedule_s():
    expected = schedule().alphas_cumprod
    found = torch.tensor([signal(t) for t in range(999)], dtype=torch.float64)
    assert (found - expected[:999]).abs().max() < 1e-5


def test_one_pass_a_step_and_image_and_no_other(weights, smooth_images, monkeypatch):
    seen = []
    forward = UNet2DModel.forward

    def counted(self, sample, timestep, *rest, **named):
        seen.append((len(sample), int(timestep)))
        return forward(self, sample, timestep, *rest, **named)

    monkeypatch.setattr(UNet2DModel, "forward", counted)
    PdmPure(weights=str(weights), denoised=6)(smooth_images(3, 32), context())
    assert seen == [(1, t) for t in (55, 44, 33, 22, 11, 0)] * 3


def test_odd_sides_and_gradients_pass(weights, smooth_images):
    images = smooth_images(1, 32)[:, :, :30, :29].clone().requires_grad_()
    purified = PdmPure(weights=str(weights)).purify(images, context())
    assert purified.shape == images.shape
    purified.sum().backward()
    assert images.grad.abs().sum() > 0


def test_it_conforms(weights):
    class Case(PurifierConformance):
        def build(self):
            return PdmPure(weights=str(weights))

    for _, _, check in checks(Case()):
        check()


def test_without_weights_it_is_skipped(tmp_path, smooth_images):
    purifier = PdmPure(weights=str(tmp_path / "nothing"))
    reason = purifier.skip(None)
    assert reason.startswith(f"needs its network, and {tmp_path / 'nothing'} has none; train it by")
    assert reason.endswith("train pixel --pack DIR` and pass pdm-pure[weights=DIR/plugins/pixel]")
    with pytest.raises(PluginError, match="pdm-pure: needs its network") as raised:
        purifier(smooth_images(1, 32), context())
    assert raised.value.state is State.SKIPPED


def test_the_atelier_s_network_is_for_the_atelier_s_size(weights):
    models = [SimpleNamespace(image_size=side) for side in (512, 64)]
    reasons = [PdmPure().skip(model) for model in models]
    assert reasons[0].startswith("pack:pixel denoises the atelier's images, of 64 px, and this")
    assert reasons[1] is None
    assert PdmPure(weights=str(weights)).skip(models[0]) is None


@pytest.mark.parametrize(
    "more",
    [
        {"steps": 1},
        {"last": 8},
        {"last": 999},
        {"noised": 0},
        {"noised": 6, "denoised": 5},
        {"denoised": 11},
    ],
)
def test_bad_parameters(more):
    with pytest.raises(ValueError, match="must"):
        PdmPure(**more)


def test_the_pack_has_a_network():
    purifier = PdmPure()
    assert purifier.skip(None) is None
    assert sum(path.stat().st_size for path in place_of(purifier.weights).iterdir()) < 4e6


def test_the_pack_s_network_moves_paintings_little_and_noise_back(smooth_images):
    """Pictures stay, and most of small noise goes."""
    images = smooth_images(2, 64)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)) * 16 / 255
    noisy = (images + noise).clamp(0, 1)
    purifier = PdmPure()
    clean, cleaned = (purifier(x, context()).images for x in (images, noisy))
    assert (clean - images).abs().mean() < (noisy - images).abs().mean()
    assert (cleaned - images).square().mean() < 0.5 * (noisy - images).square().mean()
