"""Whether a folder is a Stable Diffusion 3 or 3.5 that can be used, told from its settings.

The third text encoder, T5, may be left out. Imports no torch.
"""

from __future__ import annotations

from pathlib import Path

from impress_bench.benchmark.models.families.parts import schedule, sized, unequal, without

#: What the family is called.
NAME = "Stable Diffusion 3 and 3.5"
#: What has weights, and what may be left out.
PARTS, OPTIONAL = ("transformer", "vae", "text_encoder", "text_encoder_2"), "text_encoder_3"


def unsuitable(folder: Path) -> str:
    """Why the model in a folder cannot be used, and the way out; empty if it can."""
    there = (folder / OPTIONAL).is_dir()
    return (
        without(folder, (*PARTS, OPTIONAL) if there else PARTS)
        or unequal(folder, "transformer", "in_channels", (16,), 16)
        or unequal(folder, "transformer", "patch_size", (2,), 2)
        or unequal(folder, "vae", "latent_channels", (16,), 4)
        or sized(folder, "transformer")
        or schedule(folder)
    )
