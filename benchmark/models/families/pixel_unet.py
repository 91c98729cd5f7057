"""A small U-Net on pixels, which is a plugin's own and no model; kept in diffusers layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from diffusers import UNet2DModel

    #: What plugins call it: they know no class of diffusers.
    PixelUNet = UNet2DModel


def new(in_channels: int, out_channels: int, widths: Sequence[int], groups: int = 8) -> UNet2DModel:
    """An untrained network without attention, for images of any size. It knows timesteps, which
    those that make an image in one pass do not use.

    Args:
        in_channels, out_channels: of what `run` is given and returns.
        widths: channels by level, finest first; at least two levels, multiples of `groups`.
        groups: of channels that are normalised together.
    """
    from diffusers import UNet2DModel

    return UNet2DModel(
        in_channels=in_channels,
        out_channels=out_channels,
        block_out_channels=tuple(widths),
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=groups,
        add_attention=False,
    )


def load(folder: Path, device: torch.device) -> UNet2DModel:
    """The frozen network in `folder`, in float32. Raises OSError where there is none."""
    from diffusers import UNet2DModel

    network = UNet2DModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return network.float().to(device).eval().requires_grad_(False)


def missing(folder: Path, plugin: str, part: str, written: str | None = None) -> str | None:
    """Why a plugin whose network the recipe `part` trains cannot run, and the way out; None if its
    network is in `folder`. The recipe writes into `written`, the plugin's name by default."""
    if (folder / "config.json").is_file():
        return None
    return (
        f"needs its network, and {folder} has none; train it by"
        f" `python -m impress_bench.benchmark.atelier.train {part} --pack DIR` and pass"
        f" {plugin}[weights=DIR/plugins/{written or plugin}]"
    )


def run(network: UNet2DModel, inputs: Tensor, timestep: int | Tensor = 0) -> Tensor:
    """The network's answer (B, out_channels, H, W) to `inputs` (B, in_channels, H, W), whose sides
    are extended by their last values to what its levels divide, at `timestep`, one or (B,)."""
    height, width = inputs.shape[-2:]
    factor = 2 ** (len(network.config.block_out_channels) - 1)
    missing = -width % factor, -height % factor
    if any(missing):
        inputs = pad(inputs, (0, missing[0], 0, missing[1]), mode="replicate")
    return network(inputs, timestep).sample[..., :height, :width]
