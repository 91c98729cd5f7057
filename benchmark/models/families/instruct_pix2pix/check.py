"""Whether a folder is an InstructPix2Pix that can be used, told from its settings. Imports no
torch."""

from __future__ import annotations

from pathlib import Path

from impress_bench.benchmark.models.families.parts import sized, unequal, without

#: What the family is called.
NAME = "InstructPix2Pix"
#: What has weights.
PARTS = ("unet", "vae", "text_encoder")


def unsuitable(folder: Path) -> str:
    """Why the model in a folder cannot be used, and the way out; empty if it can."""
    return (
        without(folder, PARTS)
        or unequal(folder, "unet", "in_channels", (8,), 4)
        or unequal(folder, "vae", "latent_channels", (4,), 4)
        or unequal(folder, "vae", "_class_name", ("AutoencoderKL",), "AutoencoderKL")
        or sized(folder, "unet")
    )
