"""What the components and models of a preset are: each resolved and digested once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.models import model_code, model_digest
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import Spec

INCONSISTENCY = "impress_bench.benchmark.models.inconsistency"


class Resolver:
    """Resolves the names of one preset.

    `models` holds the digest of each role's model, and `components` what was resolved so far, by
    kind and spec. Raises ConfigError for an unknown name in the preset's settings and for a model
    without a digest.
    """

    def __init__(self, preset: Preset, registry: Registry) -> None:
        self.preset = preset
        self.registry = registry
        self.components: dict[str, Component] = {}
        self._settings = preset.settings.model_dump()
        self._resolved: dict[tuple[str, str], Component | PluginError] = {}
        self._digests: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._check_settings()
        self._resolve_listed()
        self.models = {
            role: self._model_digest(f"models.{role}", name)
            for role, name in preset.models.roles().items()
        }

    def resolve(self, field: str, spec: Spec) -> Component | PluginError:
        """A component, or the error that becomes the reason of its cells if its plugin is broken.

        `field` is the preset's: "tasks", "protections", "purifiers" or "metrics". Raises
        ConfigError for what the user has to correct.
        """
        name = (field, str(spec))
        if name not in self._resolved:
            try:
                component = self.registry.resolve(field, spec, self._settings)
            except PluginError as error:
                self._resolved[name] = error
            else:
                if component.surrogate:
                    digest = self._model_digest(f"{spec}: surrogate", component.surrogate)
                    component = replace(component, surrogate_digest=digest)
                self._resolved[name] = component
                self.components[f"{component.kind} {spec}"] = component
        return self._resolved[name]

    def model_of(self, role: str, component: Component | None = None) -> str:
        """What identifies the model that a component holds, its own surrogate or its role's: the
        digests of its weights and of the code that computes it."""
        name = component.surrogate if component is not None else ""
        name = name or self.preset.models.roles()[role]
        return f"{self._digests[name]} {self._codes[name]}"

    @cached_property
    def inconsistency_source(self) -> str:
        """The digest of the code that inspects images."""
        return self.registry.index.digest(INCONSISTENCY)

    def _check_settings(self) -> None:
        for field, named in self._settings.items():
            known = sorted(self.registry.entries[field])
            for name in named:
                if name not in known:
                    what = f"name in settings.{field}:"
                    raise ConfigError(f"{self.preset.origin}: {unknown(what, name, known)}")

    def _resolve_listed(self) -> None:
        """An unknown name or parameter is reported before any work is done."""
        for field in ("tasks", "protections", "purifiers", "metrics"):
            for spec in self.preset.specs(field):
                try:
                    self.resolve(field, spec)
                except ConfigError as error:
                    raise ConfigError(f"{self.preset.where(field)}: {error}") from None

    def _model_digest(self, where: str, name: str) -> str:
        if name not in self._digests:
            try:
                self._digests[name] = model_digest(self.registry, name)
                self._codes[name] = model_code(self.registry, name)
            except (ConfigError, PluginError) as error:
                raise ConfigError(f"{self.preset.origin}: {where}: {error}") from None
        return self._digests[name]
