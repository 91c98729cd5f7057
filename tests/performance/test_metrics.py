"""Each metric of image pairs at 512 px beside the reference that its tests compare it with: sewar,
numpy, or for LPIPS the bare passes through its network. The ratio goes into `extra_info`."""

from __future__ import annotations

import numpy as np
import pytest
import sewar
import skimage.data
import torch

from impress_bench import metrics
from impress_bench.metrics.lpips import _network

pytestmark = pytest.mark.speed


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A photo with noise and without, 8-bit values as float32 (1, 3, 512, 512)."""
    target = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None].float() / 255
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    return ((target + 0.08 * noise).clamp(0, 1) * 255).round() / 255, target


def to_bytes(image):
    return (255 * image[0]).round().byte().permute(1, 2, 0).numpy()


def difference(preds, target):
    return (preds - target).double().numpy()


def bare_passes(preds, target):
    network = _network("alex", torch.float32, preds.device)
    with torch.no_grad():
        for image in (preds, target):
            network.net(network.scaling_layer(2 * image - 1))


REFERENCES = {
    "l2": lambda p, t: np.linalg.norm(difference(p, t)),
    "linf": lambda p, t: np.abs(difference(p, t)).max(),
    "psnr": lambda p, t: sewar.psnr(to_bytes(t), to_bytes(p)),
    "ssim": lambda p, t: sewar.ssim(to_bytes(t), to_bytes(p)),
    "vif_p": lambda p, t: sewar.vifp(to_bytes(t), to_bytes(p)),
    "lpips": bare_passes,
    "lpips_budget": bare_passes,
}


def test_no_metric_of_pairs_was_forgotten():
    assert set(REFERENCES) == set(metrics.__all__) - {"lpips_to", "squared_mmd"}


@pytest.mark.parametrize("name", REFERENCES)
def test_metric(beside, pair, name):
    preds, target = pair

    def ours():
        with torch.no_grad():
            return getattr(metrics, name)(preds, target)

    assert bool(ours().isfinite().all())
    beside(ours, lambda: REFERENCES[name](preds, target), batch=1)
