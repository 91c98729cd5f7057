"""A plugin with its parameters: what decides its results, and how it is created."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import plugin_error

#: Whose plugins run where the harness runs.
OURS = "impress-bench"
#: What purifiers that follow each other become.
CHAIN = "impress_bench.attacks.chain:Chain"


@dataclass(frozen=True)
class Component:
    """A plugin with every parameter decided; picklable, and created only where it runs.

    kind: "protection", "purifier", "adaptation", "metric", "task" or "model".
    name: as registered. label: as written, its spec. title: as boards show it.
    target: where it is defined, `module:attribute`.
    distribution, version: what installs it.
    source: digest of its code. libraries: versions of the distributions that this code uses.
    parameters: plain values by name. injected: plugins by the parameter that names them.
    requires: specs of the protections whose results it needs.
    adaptations: applied to a protection, from left to right. then: purifiers that follow it.
    files: digests of the files that its parameters name.
    shown: a metric's title, direction and needs.
    own_granularity: what it declares, its parts left out: see `granularity`.
    surrogate: the model that it holds instead of its role's, "" for its role's; a task's target.
    surrogate_digest: the digest of that model.
    further_models: those beside it that its parameters, or those of its parts, name, and the digest
        of each.
    """

    kind: str
    name: str
    label: str
    target: str
    distribution: str
    version: str
    source: str
    parameters: Mapping[str, Any]
    libraries: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    adaptations: tuple[Component, ...] = ()
    then: tuple[Component, ...] = ()
    injected: Mapping[str, Component] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    own_granularity: str = "subject"
    surrogate: str = ""
    surrogate_digest: str = ""
    further_models: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def identity(self) -> dict[str, Any]:
        """Everything that decides its results, except the models that it holds. The name under
        which it is registered does not."""
        identity: dict[str, Any] = {
            "target": self.target,
            "distribution": self.distribution,
            "version": self.version,
            "source": self.source,
            "libraries": dict(self.libraries),
            "parameters": {k: v for k, v in self.parameters.items() if k not in self.injected},
        }
        if self.adaptations:
            identity["adaptations"] = [adaptation.identity() for adaptation in self.adaptations]
        if self.then:
            identity["then"] = [part.identity() for part in self.then]
        if self.files:
            identity["files"] = dict(self.files)
        if self.injected:
            identity["injected"] = {k: part.identity() for k, part in self.injected.items()}
        return identity

    @property
    def ours(self) -> bool:
        """Whether it and all its parts come with this package."""
        parts = (*self.adaptations, *self.then, *self.injected.values())
        return self.distribution == OURS and all(part.ours for part in parts)

    @property
    def granularity(self) -> str:
        """ "image" where it and all its parts make of an image what depends on that image alone;
        else "subject"."""
        parts = (*self.adaptations, *self.then, *self.injected.values())
        alone = self.own_granularity == "image" and all(p.granularity == "image" for p in parts)
        return "image" if alone else "subject"

    def titles(self) -> dict[str, str]:
        """Titles by registered name, its own and those of its parts."""
        titles = {self.name: self.title}
        for part in (*self.adaptations, *self.then, *self.injected.values()):
            titles |= part.titles()
        return titles

    def create(self) -> Any:
        """The plugin object. Raises PluginError for any exception of its code."""
        factory = load_target(self.kind, self.label, self.target)
        try:
            if self.kind == "task":
                return factory(factory.Settings(**self.parameters))  # type: ignore[attr-defined]
            parameters = {key: _plain(value) for key, value in self.parameters.items()}
            parameters |= {key: part.create() for key, part in self.injected.items()}
            plugin = factory(**parameters)
            label = self.label.removesuffix("".join(f"+{part.label}" for part in self.adaptations))
            for adaptation in self.adaptations:
                plugin = adaptation.create()(plugin, label)
                label = f"{label}+{adaptation.label}"
            if self.then:
                plugin = load_target(self.kind, self.label, CHAIN)(
                    plugin, *[part.create() for part in self.then]
                )
        except PluginError:
            raise
        except Exception as error:
            raise plugin_error(self.kind, self.label, "could not be created", error) from error
        return plugin


def load_target(kind: str, label: str, target: str) -> Callable[..., Any]:
    """Import `module:attribute` of a plugin. Raises PluginError if that fails."""
    try:
        loaded: Callable[..., Any] = EntryPoint(name=label, value=target, group=kind).load()
    except Exception as error:
        raise plugin_error(kind, label, "could not be imported", error) from error
    return loaded


def readable(name: str) -> str:
    """A registered name as a title: "my-cloak" is "My cloak"."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _plain(value: Any) -> Any:
    """Lists as tuples: JSON has no tuples, defaults in Python should be no lists."""
    return tuple(value) if isinstance(value, list) else value
