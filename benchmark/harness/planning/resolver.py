"""What the components and models of a preset are: each resolved and digested once."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from impress_bench.benchmark import signals
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
        self._resolved: dict[tuple[str, str, str], Component | PluginError] = {}
        self._digests: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._check_settings()
        self._resolve_listed()
        self.models = {
            role: self._model_digest(f"models.{role}", name)
            for role, name in preset.models.roles().items()
        }

    def resolve(self, field: str, spec: Spec, task: str = "") -> Component | PluginError:
        """A component, or the error that becomes the reason of its cells if its plugin is broken.

        `field` is the preset's: "tasks", "protections", "purifiers" or "metrics". `task` is the
        name of the one that it is used in, within which the preset may set parameters otherwise.
        Raises ConfigError for what the user has to correct.
        """
        task = task if task in self.preset.settings.within else ""
        name = (field, str(spec), task)
        if name not in self._resolved:
            found = self._resolve(field, spec, task)
            if task and found == (general := self.resolve(field, spec)):
                found = general
            elif isinstance(found, Component):
                label = f"{found.kind} {spec}"
                self.components[f"{label} in {task}" if task else label] = found
            self._resolved[name] = found
        return self._resolved[name]

    def _resolve(self, field: str, spec: Spec, task: str) -> Component | PluginError:
        try:
            component = self.registry.resolve(field, spec, self.preset.settings.of(task))
        except PluginError as error:
            signals.check()  # in what is being imported, a signal turns into its error
            return error
        if component.surrogate:
            digest = self._model_digest(f"{spec}: surrogate", component.surrogate)
            component = replace(component, surrogate_digest=digest)
        if component.further_models:
            component = replace(component, further_models=self._further(spec, component))
        return component

    def _further(self, spec: Spec, component: Component) -> dict[str, str]:
        """The digests of the models that a component holds beside its surrogate. Raises ConfigError
        for one that it holds already, under the same name or another."""
        held = component.surrogate or self.preset.models.protection
        known = {self._model_digest("models.protection", held): held}
        for name in component.further_models:
            digest = self._model_digest(f"{spec}: models", name)
            if digest in known:
                same = "" if name == known[digest] else f", which is {known[digest]},"
                told = f"{name}{same} is one of its models already; leave it out"
                raise ConfigError(f"{spec}: {told}")
            known[digest] = name
        return {name: digest for digest, name in known.items() if name != held}

    def model_of(self, role: str, component: Component | None = None) -> str:
        """What identifies the model that a component holds, its own surrogate or its role's: the
        digests of its weights and of the code that computes it."""
        name = component.surrogate if component is not None else ""
        name = name or self.preset.models.roles()[role]
        return f"{self._digests[name]} {self._codes[name]}"

    def further_of(self, component: Component) -> dict[str, str]:
        """What identifies each model that a component holds beside that one."""
        return {
            name: f"{self._digests[name]} {self._codes[name]}" for name in component.further_models
        }

    @cached_property
    def inconsistency_source(self) -> str:
        """The digest of the code that inspects images."""
        return self.registry.index.digest(INCONSISTENCY)

    def _check_settings(self) -> None:
        """Raise ConfigError for names in the preset's settings that are not registered."""
        settings = self.preset.settings
        tables = {"settings": settings.model_dump(exclude={"within"})}
        for task, own in settings.within.items():
            self._check_name("settings.within", "tasks", task)
            tables[f"settings.within.{task}"] = own.model_dump()
        for place, table in tables.items():
            for field, named in table.items():
                for name in named:
                    self._check_name(f"{place}.{field}", field, name)

    def _check_name(self, place: str, field: str, name: str) -> None:
        known = sorted(self.registry.entries[field])
        if name not in known:
            message = unknown(f"name in {place}:", name, known)
            raise ConfigError(f"{self.preset.origin}: {message}")

    def _resolve_listed(self) -> None:
        """An unknown name or parameter is reported before any work is done."""
        tasks = [spec.name for spec in self.preset.specs("tasks")]
        for field in ("tasks", "protections", "purifiers", "metrics"):
            for spec in self.preset.specs(field):
                try:
                    for task in tasks if field != "tasks" else [""]:
                        self.resolve(field, spec, task)
                except ConfigError as error:
                    signals.check()
                    raise ConfigError(f"{self.preset.where(field)}: {error}") from None

    def _model_digest(self, where: str, name: str) -> str:
        if name not in self._digests:
            try:
                self._digests[name] = model_digest(self.registry, name)
                self._codes[name] = model_code(self.registry, name)
            except (ConfigError, PluginError) as error:
                signals.check()
                raise ConfigError(f"{self.preset.origin}: {where}: {error}") from None
        return self._digests[name]
