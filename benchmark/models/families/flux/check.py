"""Whether a folder is a FLUX.1 that can be used, told from its settings. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from impress_bench.benchmark.models.families.parts import schedule, sized, unequal, without

#: What the family is called.
NAME = "FLUX.1"
#: What has weights.
PARTS = ("transformer", "vae", "text_encoder", "text_encoder_2")


def unsuitable(folder: Path) -> str:
    """Why the model in a folder cannot be used, and the way out; empty if it can. Fill, Depth and
    Canny have more input channels, which hold images."""
    return (
        without(folder, PARTS)
        or unequal(folder, "transformer", "in_channels", (64,), 64)
        or unequal(folder, "vae", "latent_channels", (16,), 4)
        or sized(folder, "vae", unit="pixels")
        or schedule(folder)
    )
