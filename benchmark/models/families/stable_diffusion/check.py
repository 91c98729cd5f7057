"""Whether a folder or file is a Stable Diffusion 1 or 2 that can be used, told from its settings.

Or its inpainting version: one text encoder, a U-Net of 4 or 9 input channels, a VAE of 4 latent
channels. Imports no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from impress_bench.benchmark.models.families.layout import settings
from impress_bench.benchmark.models.families.parts import without

#: What the family is called.
NAME = "Stable Diffusion 1 and 2 and their inpainting versions"
VAES = ("AutoencoderKL", "AutoencoderTiny")
#: Noisy latents, or these with a mask and the latents of the masked image.
CHANNELS, LATENTS = (4, 9), 4
#: What has weights.
PARTS = ("unet", "vae", "text_encoder")
#: A single file's input layer of the U-Net, and what only Stable Diffusion XL's files have.
INPUT, XL = "model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders."
#: No header of a safetensors file is larger: the format's own limit.
HEADER = 100_000_000
KNOWN = f"known are {NAME}"


def unsuitable(place: Path) -> str:
    """Why the model in a folder or file cannot be used, and the way out; empty if it can."""
    if place.is_file():
        return _of_file(place)
    if problem := without(place, PARTS):
        return problem
    unet, vae = (settings(place / part / "config.json") or {} for part in ("unet", "vae"))
    if (channels := unet.get("in_channels", 4)) not in CHANNELS:
        return f"has a U-Net of {channels} input channels; {KNOWN}, of 4 and 9"
    if (kind := vae.get("_class_name", VAES[0])) not in VAES:
        return f"has a VAE of the kind {kind}; known: {', '.join(VAES)}"
    if (latents := vae.get("latent_channels", LATENTS)) != LATENTS:
        return f"has a VAE of {latents} latent channels; {KNOWN}, of {LATENTS}"
    if vae.get("sample_size", 1) is None and vae.get("_class_name") == VAES[0]:
        return "has sample_size null in vae/config.json; set it to the side of its images in pixels"
    try:
        square_size(unet.get("sample_size"), vae.get("sample_size"), factor_of(vae))
    except ValueError as error:
        return str(error)
    return ""


def square_size(unet: Any, vae: Any, factor: int) -> int:
    """The side in latents of the images that a U-Net was trained on, from its `sample_size` and, if
    that says nothing, the VAE's, which counts pixels. Raises ValueError for what is no square."""
    for size, scale in ((unet, 1), (vae, factor)):
        sides = {*size} if isinstance(size, list | tuple) else {size}
        if len(sides) > 1:
            raise ValueError(f"has sample_size {list(size)}; images are squares here: set one side")
        (side,) = sides or {None}
        if isinstance(side, int) and side >= scale:
            return side // scale
    raise ValueError(
        f"says nothing of its size (sample_size is {unet!r}); set it in unet/config.json to a side"
        " in latents, such as 64 for images of 512 pixels"
    )


def factor_of(vae: dict[str, Any]) -> int:
    """Pixels per latent along a side, from a VAE's settings."""
    blocks: list[int] = (
        vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [1]
    )
    return int(2 ** (len(blocks) - 1))


def _of_file(path: Path) -> str:
    """By the names and shapes in the header of a safetensors file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length <= HEADER else None
        if not isinstance(header, dict):
            raise ValueError
    except (OSError, ValueError, RecursionError):
        return "is no safetensors file that can be read"
    if any(name.startswith(XL) for name in header):
        return "is Stable Diffusion XL in a single file; name its folder in diffusers layout"
    try:
        channels = header[INPUT]["shape"][1]
    except (KeyError, IndexError, TypeError):
        return f"holds no whole Stable Diffusion (no {INPUT}); {KNOWN}"
    if channels not in CHANNELS:
        return f"has a U-Net of {channels} input channels; {KNOWN}, of 4 and 9"
    return ""
