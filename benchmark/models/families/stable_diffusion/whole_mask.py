"""An inpainting U-Net as a text-to-image one: asked to paint everything.

The U-Net of SD-inpainting reads noisy latents, a mask and the latents of the masked image: 4, 1 and
4 channels. Under a mask of the whole image there is nothing but mid-grey to see, and what it
predicts is what an ordinary U-Net does; a quarter of its training was of that kind. So all that
asks for a denoiser runs on a stock inpainting folder as on any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel


def paint_everything(unet: UNet2DConditionModel, vae: AutoencoderKL) -> None:
    """Let `unet`, of 9 channels, also take noisy latents of 4 and see nothing else. Copies of it,
    which learn, do so too."""
    scale = vae.config.scaling_factor
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    seen: dict[torch.Size, Tensor] = {}

    def grey(noisy: Tensor) -> Tensor:
        """Scaled latents (1, 4, h, w) of a mid-grey image, encoded once a size."""
        size = noisy.shape[-2:]
        if size not in seen:
            sides = [factor * side for side in size]
            # Kept for later callers, so nothing of this one's precision or gradient may stick.
            with torch.no_grad(), torch.autocast(vae.device.type, enabled=False):
                image = torch.zeros(1, 3, *sides, device=vae.device, dtype=vae.dtype)
                seen[size] = vae.encode(image).latent_dist.mean * scale
        return seen[size].to(noisy)

    def complete(network: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        noisy = inputs[0]
        if noisy.shape[1] == network.config.in_channels:
            return None
        mask, hidden = torch.ones_like(noisy[:, :1]), grey(noisy).expand_as(noisy)
        return torch.cat([noisy, mask, hidden], dim=1), *inputs[1:]

    unet.register_forward_pre_hook(complete)
