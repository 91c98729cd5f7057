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

    `adaptations` are applied to a protection, and `then` follow a purifier, from left to right.
    `injected` are the plugins that a parameter of that name stands for; `files` the digests of
    files that one names; `shown` is what boards need of a metric. `surrogate` names the model that
    it holds where that is not its role's, and `surrogate_digest` tells its weights. `title` is what
    boards call it, whatever its parameters. `source` digests its code; `libraries` are the versions
    of the distributions that this code uses.
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
    surrogate: str = ""
    surrogate_digest: str = ""
    title: str = ""

    def identity(self) -> dict[str, Any]:
        """What of it decides a result, but for the model it holds. The registered name does not."""
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
        """Whether it and all that it is composed of come with this package."""
        parts = (*self.adaptations, *self.then, *self.injected.values())
        return self.distribution == OURS and all(part.ours for part in parts)

    def titles(self) -> dict[str, str]:
        """Titles by registered name: its own, and those of all that it is composed of."""
        found = {self.name: self.title}
        for part in (*self.adaptations, *self.then, *self.injected.values()):
            found |= part.titles()
        return found

    def create(self) -> Any:
        """The plugin object; whatever goes wrong in its code becomes a `PluginError`."""
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
    """Import `module:attribute` of a plugin."""
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
    """JSON has no tuples, Python's defaults no lists."""
    return tuple(value) if isinstance(value, list) else value
