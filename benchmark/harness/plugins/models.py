"""Models by registered name, folder or hub id: loading them, and digests of their weights."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, plugin_error
from impress_bench.benchmark.harness.plugins.component import load_target
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.models.digest import source_digest
from impress_bench.benchmark.models.families.known import family_of, model_problem
from impress_bench.benchmark.models.families.layout import UnusableModelError
from impress_bench.benchmark.models.hub import is_source, on_this_machine
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

    name: as registered, a folder in diffusers layout, a single safetensors file, or a hub id
        (`org/name` or `org/name@revision`).
    device: "cpu" or "cuda". numerics: how its networks compute.
    registry: where names are looked up; None: among what is installed now.

    Raises ConfigError for an unknown name, PluginError if the model cannot be loaded.
    """
    try:
        if is_source(name):
            from impress_bench.benchmark.models.families.loading import load_pretrained

            model = load_pretrained(name, device)
        else:
            entry = _entry(registry or Registry(), name)
            model = load_target("model", name, entry.value)()
            if device != "cpu":  # factories make models on the CPU
                model.to(device)
        if numerics != PLAIN or device != "cpu":
            model = model.with_numerics(numerics)
    except (ConfigError, PluginError):
        raise
    except UnusableModelError as error:
        raise PluginError(f"model {name}", str(error)) from None
    except Exception as error:
        raise plugin_error("model", name, "could not be loaded", error) from error
    return model


def load_further(
    names: Collection[str], held: LatentDiffusion, registry: Registry | None = None
) -> dict[str, LatentDiffusion]:
    """The models of those names, loaded for use beside `held`, where that is and computing as it
    does. Raises as `load_model`, and ConfigError for one of the same weights."""
    found: dict[str, LatentDiffusion] = {}
    digests = {held.digest} if names else set()
    for name in names:
        found[name] = load_model(name, held.device.type, held.numerics, registry)
        if found[name].digest in digests:
            raise ConfigError(f"{name} is one of the models already; leave it out")
        digests.add(found[name].digest)
    return found


def model_digest(registry: Registry, name: str) -> str:
    """The digest of a model's weights and settings, from the registered factory's own `digest()`
    if it has one, which need not load the model.

    Raises ConfigError for a model that is unknown, not on this machine or of an unknown kind, with
    which a run would fail in every cell, and PluginError.
    """
    if is_source(name):
        if problem := model_problem(name):
            raise ConfigError(f"model {name}: {problem}")
        return source_digest(name)
    factory = load_target("model", name, _entry(registry, name).value)
    digest = getattr(factory, "digest", None)
    if digest is None:
        return str(load_model(name, registry=registry).digest)
    try:
        return str(digest())
    except ConfigError:
        raise
    except Exception as error:
        raise plugin_error("model", name, "has no digest", error) from error


def model_code(registry: Registry, name: str) -> str:
    """The digest of the code that computes a model, and of the versions of libraries that it uses:
    what its family reaches or, where a name is registered, its factory.

    Plugins see the interface of models alone, so that their own code does not tell families apart.
    Raises as `model_digest`.
    """
    if is_source(name):
        if problem := model_problem(name):
            raise ConfigError(f"model {name}: {problem}")
        place = on_this_machine(name)
        assert place is not None
        code = registry.index.code(family_of(place))
    else:
        code = registry.code("models", name)
    return sha256(canonical_json([code.digest, dict(code.libraries)]).encode())


def _entry(registry: Registry, name: str) -> EntryPoint:
    """A registered model; a folder or file of that name needs its path to be meant."""
    try:
        return registry.entry("models", name)
    except ConfigError as error:
        if Path(name).exists():
            raise ConfigError(f"{error}; for what is called so here, write ./{name}") from None
        raise
