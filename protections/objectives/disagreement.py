"""How far an image and its reconstruction disagree, which is what IMPRESS minimises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.models.inpainting import inpainting_chain, masked_out

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

Chain = Literal["vae", "ldm", "inpainting"]
CHAINS = ("vae", "ldm", "inpainting")


def disagreement(
    model: LatentDiffusion,
    x: Tensor,
    kept: Tensor,
    generators: Sequence[torch.Generator],
    chain: Chain = "vae",
) -> Tensor:
    """Squared differences (B, 3HW) of `x`, (B, 3, H, W) in [0, 1], and its reconstruction, on
    [-1, 1] pixels, with gradient on both sides, as IMPRESS minimises them."""
    if chain == "inpainting":
        made = inpainting_chain(model, x, kept[:, 0] > 0, generators, steps=4)
        x = masked_out(x, kept)
    else:
        made = model.reconstruct(x, chain, generator=generators)
    return (2 * (x - made.to(x.dtype))).square().flatten(1)
