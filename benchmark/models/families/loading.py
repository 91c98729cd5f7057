"""Loading a latent diffusion model of whatever family it is."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import torch

from impress_bench.benchmark.models.digest import source_digest
from impress_bench.benchmark.models.families.known import (
    family_named,
    family_of,
    unsuitable,
)
from impress_bench.benchmark.models.families.layout import UnusableModelError
from impress_bench.benchmark.models.hub import HubId, missing, on_this_machine
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


def load_pretrained(
    source: str | Path, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> LatentDiffusion:
    """A model, frozen and in evaluation mode, from a folder in diffusers layout, a single file, or
    a hub id, `org/name` or `org/name@revision`; safetensors only.

    Raises UnusableModelError for a model of an unknown family, or one that is not there in full,
    and OSError, as diffusers does, where it cannot be read.
    """
    place = _fetched(str(source))
    if problem := unsuitable(place):
        raise UnusableModelError(problem)
    family = import_module(family_of(place))
    model: LatentDiffusion = family.load(place, source_digest(str(source)), device, dtype)
    return model


def _fetched(source: str) -> Path:
    """Where a model's files lie; a hub id's are fetched if need be, once its family is known."""
    from diffusers import DiffusionPipeline
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        place = on_this_machine(source)
    except HFValidationError:
        raise UnusableModelError(missing(source)) from None
    if place is not None:
        return place
    hub = HubId.parse(source)
    try:
        index = Path(hf_hub_download(hub.name, "model_index.json", revision=hub.revision))
    except LocalEntryNotFoundError:  # the hub cannot be reached; also an EntryNotFoundError
        raise
    except EntryNotFoundError:
        raise UnusableModelError("has no model_index.json, so it is no diffusers model") from None
    family_named(json.loads(index.read_bytes()).get("_class_name"))
    fetched = DiffusionPipeline.download(hub.name, revision=hub.revision, use_safetensors=True)
    return Path(fetched)
