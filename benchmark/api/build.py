"""Protections and purifiers from their specs, and what else they require."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from impress_bench.benchmark.api.results import bound
from impress_bench.benchmark.contract import ProtectionHooks, hooks
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import Component, load_target
from impress_bench.benchmark.harness.plugins.registry import SURROGATE, Registry
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex
from impress_bench.benchmark.spec import Spec, format_value, parse_spec

if TYPE_CHECKING:
    from impress_bench.attacks import Purifier
    from impress_bench.protections import Protection

Kind = Literal["protection", "purifier"]
#: The parameter that `budgets` sets.
BOUND = "linf"


def build(
    spec: str,
    *,
    preset: Preset | str | Path | None = None,
    kind: Kind | None = None,
) -> Protection | Purifier:
    """A protection or purifier as presets and the command line write it.

    Parameters:
        spec: `glaze`, `glaze[p=0.05]`, `glaze+consistency[weight=40]`, `jpeg[quality=75]>impress`.
        preset: The preset whose settings fill what `spec` leaves open; None: the plugins' defaults.
        kind: Which of the two, where a name such as `exec` is registered for both.

    Raises ConfigError for an unknown name, parameter or preset, PluginError for a broken plugin.
    """
    parsed = parse_spec(spec)
    registry = _registry()
    chosen = kind or _kind_of(parsed.name, registry)
    return cast("Protection | Purifier", _created(registry, chosen, parsed, _settings(preset)))


@dataclass(frozen=True)
class Chosen:
    """A plugin, as it is written, and where the protections that it requires are looked up."""

    label: str
    plugin: Any
    registry: Registry
    settings: Mapping[str, Mapping[str, Any]]
    #: Names of the models that it uses beside the surrogate.
    further_models: tuple[str, ...] = ()

    def required(self) -> dict[str, Chosen]:
        """The protections whose results it requires, by the names that it asks by."""
        names = hooks(self.plugin, ProtectionHooks).requires()
        return {name: self._required(name) for name in names}

    def _required(self, name: str) -> Chosen:
        """What `+o-pgd` starts from is the very protection that it adapts, registered or not."""
        part = self.plugin
        while part is not None:
            if name in (parts := getattr(part, "required_parts", {})):
                return replace(self, label=name, plugin=parts[name])
            part = getattr(part, "base", None)
        plugin = _created(self.registry, "protection", parse_spec(name), self.settings)
        return replace(self, label=name, plugin=plugin)


def choose(kind: Kind, spec: object, preset: Preset | str | Path | None) -> Chosen:
    """The plugin of a spec, or the one that `spec` is. Raises ConfigError and PluginError."""
    registry, settings = _registry(), _settings(preset)
    if not isinstance(spec, str):
        if isinstance(spec, type):
            raise ConfigError(f"spec: {spec.__name__} is a class; pass {spec.__name__}(…)")
        if not callable(spec):
            raise ConfigError(
                f"spec: {spec!r} is neither a spec such as jpeg[quality=75] nor a {kind}"
            )
        label = str(getattr(spec, "name", type(spec).__name__))
        return Chosen(label, spec, registry, settings, _named_models(spec))
    parsed = parse_spec(spec)
    component = _component(registry, kind, parsed, settings)
    named = tuple(component.further_models)
    return Chosen(str(parsed), component.create(), registry, settings, named)


def _named_models(plugin: object) -> tuple[str, ...]:
    """Those that a protection, or one that it adapts, says in `model_names`."""
    names: list[str] = []
    part: object | None = plugin
    while part is not None:
        names += getattr(part, "model_names", ())
        part = getattr(part, "base", None)
    return tuple(names)


def with_budgets(spec: object, budgets: Sequence[str | float]) -> dict[str, str]:
    """The spec of a protection under each L-infinity budget, by budget.

    Raises ConfigError where `spec` is no text, names a bound itself, or is of a protection without
    the parameter `linf`.
    """
    if not isinstance(spec, str):
        raise ConfigError(
            "budgets: a protection that was created has its budget; pass a spec such as"
            " 'glaze[steps=20]', of which one is created per budget"
        )
    if isinstance(budgets, str) or not budgets:
        raise ConfigError('budgets: give a list, such as ["4/255", "8/255", "16/255"]')
    parsed = parse_spec(spec)
    if BOUND in dict(parsed.parameters):
        raise ConfigError(f"budgets: {spec} names {BOUND} itself; leave one of them out")
    accepted = _parameters(parsed.name)
    if BOUND not in accepted:
        raise ConfigError(
            f"budgets: protection {parsed.name!r} has no parameter {BOUND!r} to set; its parameters"
            f" are {', '.join(accepted) or 'none'}: call once per value of one of them"
        )
    written = [text if isinstance(text, str) else format_value(float(text)) for text in budgets]
    return {text: str(_bounded(parsed, text)) for text in written}


def _registry() -> Registry:
    """What is installed now. Digests of sources, of which results here make no use, are kept."""
    registry = Registry()
    registry.index = _index()
    return registry


@cache
def _index() -> SourceIndex:
    return SourceIndex()


def _bounded(spec: Spec, budget: str) -> Spec:
    parameters = {**dict(spec.parameters), BOUND: bound(budget)}
    return replace(spec, parameters=tuple(sorted(parameters.items())))


def _parameters(name: str) -> list[str]:
    target = _registry().entry("protections", name).value
    return list(inspect.signature(load_target("protection", name, target)).parameters)


def _kind_of(name: str, registry: Registry) -> Kind:
    kinds: tuple[Kind, ...] = ("protection", "purifier")
    found = [kind for kind in kinds if name in registry.entries[f"{kind}s"]]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{name} is a protection and a purifier; say which by kind=")
    known = sorted({name for kind in kinds for name in registry.entries[f"{kind}s"]})
    raise ConfigError(unknown("protection or purifier", name, known))


def _created(
    registry: Registry, kind: Kind, spec: Spec, settings: Mapping[str, Mapping[str, Any]]
) -> Any:
    return _component(registry, kind, spec, settings).create()


def _component(
    registry: Registry, kind: Kind, spec: Spec, settings: Mapping[str, Mapping[str, Any]]
) -> Component:
    other = "purifier" if kind == "protection" else "protection"
    if spec.name not in registry.entries[f"{kind}s"] and spec.name in registry.entries[f"{other}s"]:
        verb = {"protection": "protect", "purifier": "purify"}[other]
        raise ConfigError(f"{spec.name} is a {other}; pass it to {verb}")
    component = registry.resolve(f"{kind}s", spec, settings)
    if component.surrogate:
        raise ConfigError(f"{spec}: name its model by model=, not as its {SURROGATE}")
    return component


def _settings(preset: Preset | str | Path | None) -> Mapping[str, Mapping[str, Any]]:
    if preset is None:
        return {}
    loaded = preset if isinstance(preset, Preset) else load_preset(preset)
    settings: Mapping[str, Mapping[str, Any]] = loaded.settings.of("")
    return settings
