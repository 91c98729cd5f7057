"""What a folder in diffusers layout holds, told from its file names. Imports no torch."""

from __future__ import annotations

from pathlib import Path


def variant_of(folder: Path) -> str | None:
    """The variant to ask diffusers for: None where the U-Net is there in full, else what its files
    are called, "fp16" in `unet/diffusion_pytorch_model.fp16.safetensors`.

    None for a hub id too, of which only the hub knows the files.
    """
    names = [path.name.split(".") for path in (folder / "unet").glob("*.safetensors")]
    variants = {parts[1].partition("-")[0] if len(parts) > 2 else "" for parts in names}
    return min(variants, default="") or None
