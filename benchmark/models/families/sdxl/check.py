"""Whether a folder is a Stable Diffusion XL that can be used, told from its settings.

Base models alone: a refiner has one text encoder, an inpainting U-Net nine channels. Imports no
torch.
"""

from __future__ import annotations

from pathlib import Path

from impress_bench.benchmark.models.families.parts import sized, unequal, without

#: What the family is called.
NAME = "Stable Diffusion XL"
#: What has weights.
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


def unsuitable(folder: Path) -> str:
    """Why the model in a folder cannot be used, and the way out; empty if it can."""
    return (
        without(folder, PARTS)
        or unequal(folder, "unet", "in_channels", (4,), 4)
        or unequal(folder, "unet", "addition_embed_type", ("text_time",), None)
        or unequal(folder, "vae", "latent_channels", (4,), 4)
        or unequal(folder, "vae", "_class_name", ("AutoencoderKL",), "AutoencoderKL")
        or sized(folder, "unet")
    )
