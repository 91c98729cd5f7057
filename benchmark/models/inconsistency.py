"""How far images are from the model's own version of them: Section 4.1 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor

from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import Generators
from impress_bench.metrics import lpips_budget


@torch.no_grad()
def measure(
    model: LatentDiffusion,
    images: Tensor,
    decoded: Tensor,
    originals: Tensor,
    generator: Generators,
) -> dict[str, list[float]]:
    """Per image, for `images`, their reconstructions `decoded` and the clean `originals`, all
    (B, 3, H, W) in [0, 1]:

    `vae-error` ||x - D(E(x))||^2 and `ldm-error` ||x - f_LDM(x)||^2 as means over values, and
    `clean-lpips` between the reconstruction and the original: what the model sees of the picture
    that was protected.
    """
    chained = model.reconstruct(images, "ldm", generator=generator).clamp(0, 1)
    values = {
        "vae-error": (decoded - images).square().mean((1, 2, 3)),
        "ldm-error": (chained - images).square().mean((1, 2, 3)),
        "clean-lpips": lpips_budget(decoded, originals),
    }
    return {name: value.tolist() for name, value in values.items()}
