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
    name: str = "atelier", device: str = "cpu", numerics: Numerics = PLAIN
) -> LatentDiffusion:
    """The model registered as `name`, or the one in a diffusers folder or under a hub id, which may
    end in `@revision`; computed as `numerics` says."""
    try:
        if is_source(name):
            from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

            model = LatentDiffusion.from_pretrained(name, device)
        else:
            factory = load_target("model", name, Registry().entry("models", name).value)
            model = factory()
            if device != "cpu":  # where factories make them
                model.to(device)
        if numerics != PLAIN or device != "cpu":
            model = model.with_numerics(numerics)
    except (ConfigError, PluginError):
        raise
    except Exception as error:
        raise plugin_error("model", name, "could not be loaded", error) from error
    return model


def model_digest(registry: Registry, name: str) -> str:
    """The digest of a model's weights and settings.

    An entry point with a `digest()` of its own is asked first: it need not load the model for that.
    """
    if is_source(name):
        return folder_digest(Path(name)) if Path(name).is_dir() else f"hub:{name}"
    factory = load_target("model", name, registry.entry("models", name).value)
    cheap = getattr(factory, "digest", None)
    if cheap is None:
        return str(load_model(name).digest)
    try:
        return str(cheap())
    except Exception as error:
        raise plugin_error("model", name, "has no digest", error) from error
