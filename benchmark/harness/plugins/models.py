"""Models by registered name, folder or hub id: loading them, and digests of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, plugin_error
from impress_bench.benchmark.harness.plugins.component import load_target
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.digest import folder_digest
from impress_bench.benchmark.models.hub import is_source
from impress_bench.benchmark.models.numerics import PLAIN, Numerics

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


def load_model(
    name: str = "atelier",
    device: str = "cpu",
    numerics: Numerics = PLAIN,
    registry: Registry | None = None,
) -> LatentDiffusion:
    """A latent diffusion model, frozen and in evaluation mode.

    name: as registered, a folder in diffusers layout, or a hub id (`org/name` or
        `org/name@revision`).
    device: "cpu" or "cuda". numerics: how its networks compute.
    registry: where names are looked up; None: among what is installed now.

    Raises ConfigError for an unknown name, PluginError if the model cannot be loaded.
    """
    try:
        if is_source(name):
            from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

            model = LatentDiffusion.from_pretrained(name, device)
        else:
            entry = (registry or Registry()).entry("models", name)
            model = load_target("model", name, entry.value)()
            if device != "cpu":  # factories make models on the CPU
                model.to(device)
        if numerics != PLAIN or device != "cpu":
            model = model.with_numerics(numerics)
    except (ConfigError, PluginError):
        raise
    except Exception as error:
        raise plugin_error("model", name, "could not be loaded", error) from error
    return model


def model_digest(registry: Registry, name: str) -> str:
    """The digest of a model's weights and settings, from the registered factory's own `digest()`
    if it has one, which need not load the model. Raises ConfigError or PluginError."""
    if is_source(name):
        return folder_digest(Path(name)) if Path(name).is_dir() else f"hub:{name}"
    factory = load_target("model", name, registry.entry("models", name).value)
    digest = getattr(factory, "digest", None)
    if digest is None:
        return str(load_model(name, registry=registry).digest)
    try:
        return str(digest())
    except Exception as error:
        raise plugin_error("model", name, "has no digest", error) from error
