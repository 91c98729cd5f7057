"""Reading a diffusers pipeline from a folder: safetensors only, its parts frozen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.models.families.layout import UnusableModelError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

#: Blackens images, and what serves it; neither is loaded.
UNCHECKED = {
    "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False
}  # fmt: skip


def pipeline_in(folder: Path, kind: str, parts: Sequence[str], **settings: Any) -> Any:
    """The diffusers pipeline `kind` of a folder, of `parts` with weights, and of `settings` in the
    place of what the folder says. Each part is loaded in full where it is, else from its only
    variant (`….fp16.safetensors`)."""
    import diffusers

    silence()
    variants = {
        part: _part(folder, part, variant)
        for part in parts
        if part not in settings and (variant := variant_of(folder, part)) is not None
    }
    made = getattr(diffusers, kind).from_pretrained(
        folder, use_safetensors=True, **settings, **variants
    )
    made.set_progress_bar_config(disable=True)
    return made


def silence() -> None:
    """Switch the libraries' progress bars off: they tear up the run's own."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()


def frozen(pipeline: DiffusionPipeline, dtype: torch.dtype, device: str) -> Any:
    """`pipeline` with its networks frozen, in evaluation mode, of that dtype and on that device."""
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            freeze(module, dtype)
    return pipeline.to(device)


def freeze(network: torch.nn.Module, dtype: torch.dtype) -> None:
    """Freeze a network, in evaluation mode and that dtype."""
    if any(parameter.dtype != dtype for parameter in network.parameters()):
        network.to(dtype)
    network.requires_grad_(False).eval()


def variant_of(folder: Path, part: str = "unet") -> str | None:
    """The variant of a part of a model to ask diffusers for: None where it is there in full, else
    what its files are called, "fp16" in `unet/diffusion_pytorch_model.fp16.safetensors`."""
    found = (folder / part).glob("*.safetensors")
    names = [path.name.split(".") for path in found if not is_junk(path.name)]
    variants = {parts[1].partition("-")[0] if len(parts) > 2 else "" for parts in names}
    return min(variants, default="") or None


def _part(folder: Path, part: str, variant: str) -> Any:
    """A part whose files are called so, of the class that the folder's index names."""
    library, kind = json.loads((folder / "model_index.json").read_bytes())[part]
    if library not in ("diffusers", "transformers"):
        raise UnusableModelError(f"its {part} comes from {library}; known: diffusers, transformers")
    loaded = getattr(import_module(library), kind)
    return loaded.from_pretrained(folder / part, variant=variant, use_safetensors=True)
