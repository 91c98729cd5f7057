"""Models by registered name, folder or hub id: loading them, and digests of their weights."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, plugin_error
from impress_bench.benchmark.harness.plugins.component import load_target
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models.digest import source_digest
from impress_bench.benchmark.models.families import model_problem
from impress_bench.benchmark.models.hub import is_source
from impress_bench.benchmark.models.numerics import PLAIN, Numerics, settled

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


def load_model(
    name: str = "atelier", device: str = "cpu", numerics: Numerics = PLAIN
) -> LatentDiffusion:
    """The model registered as `name`, or the one in a diffusers folder, in a single safetensors
    file or under a hub id, which may end in `@revision`; computed as `numerics` says.

    Raises ConfigError for an unknown name, PluginError for a model that cannot be loaded."""
    try:
        if is_source(name):
            from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

            model = LatentDiffusion.from_pretrained(name, device)
        else:
            factory = load_target("model", name, _entry(Registry(), name).value)
            model = factory()
            if device != "cpu":  # where factories make them
                model.to(device)
        if numerics != PLAIN or device != "cpu":
            model = settled(model, numerics)
    except (ConfigError, PluginError):
        raise
    except Exception as error:
        raise plugin_error("model", name, "could not be loaded", error) from error
    return model


def model_digest(registry: Registry, name: str) -> str:
    """The digest of a model's weights and settings.

    An entry point with a `digest()` of its own is asked first: it need not load the model for that.
    Raises ConfigError for a model that is not on this machine or of an unknown kind: a run would
    fail in every cell.
    """
    if is_source(name):
        if told := model_problem(name):
            raise ConfigError(f"model {name}: {told}")
        return source_digest(name)
    factory = load_target("model", name, _entry(registry, name).value)
    cheap = getattr(factory, "digest", None)
    if cheap is None:
        return str(load_model(name).digest)
    try:
        return str(cheap())
    except Exception as error:
        raise plugin_error("model", name, "has no digest", error) from error


def _entry(registry: Registry, name: str) -> EntryPoint:
    """A registered model; a folder or file of that name needs its path to be meant."""
    try:
        return registry.entry("models", name)
    except ConfigError as error:
        if Path(name).exists():
            raise ConfigError(f"{error}; for what is called so here, write ./{name}") from None
        raise
