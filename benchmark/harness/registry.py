"""Plugins: what is installed, and from a name and parameters to something that can be created.

The built-in ones come through the same entry points as everybody's; nothing here knows a name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.files import write_atomically
from impress_bench.benchmark.harness.keys import canonical_json, sha256
from impress_bench.benchmark.harness.parameters import bind_parameters, task_parameters
from impress_bench.benchmark.harness.source import SourceIndex
from impress_bench.benchmark.harness.spec import Spec, parse_spec

KINDS = {
    "protections": "protection",
    "purifiers": "purifier",
    "adaptations": "adaptation",
    "tasks": "task",
    "models": "model",
}


#: What purifiers that follow each other become.
CHAIN = "impress_bench.attacks.chain:Chain"


@dataclass(frozen=True)
class Component:
    """A plugin with every parameter decided; picklable, and created only where it runs.

    `adaptations` are applied to a protection, and `then` follow a purifier, from left to right.
    `injected` are the plugins that a
    parameter of that name stands for; `files` the digests of files that one names.
    """

    kind: str
    name: str
    label: str
    target: str
    distribution: str
    version: str
    source: str
    parameters: Mapping[str, Any]
    requires: tuple[str, ...] = ()
    adaptations: tuple[Component, ...] = ()
    then: tuple[Component, ...] = ()
    injected: Mapping[str, Component] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """What of it decides a result. The registered name does not."""
        identity: dict[str, Any] = {
            "target": self.target,
            "distribution": self.distribution,
            "version": self.version,
            "source": self.source,
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


class Registry:
    """The installed plugins at one moment.

    `memo`, a folder, remembers what resolving a component gave for its exact source, so that a run
    whose results are all stored imports neither plugins nor torch.
    """

    def __init__(self, memo: Path | None = None) -> None:
        self.index = SourceIndex()
        self._memo = memo

    @cached_property
    def entries(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Entry points by kind and name; more than one for a name is a conflict."""
        found: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in KINDS}
        for group, named in found.items():
            for entry in entry_points(group=f"impress_bench.{group}"):
                named.setdefault(entry.name, []).append(entry)
        return found

    def entry(self, group: str, name: str) -> EntryPoint:
        """The one entry point called `name`, or a `ConfigError`."""
        named = self.entries[group]
        if name not in named:
            raise ConfigError(unknown(KINDS[group], name, sorted(named)))
        if problem := conflict(KINDS[group], named[name]):
            raise ConfigError(problem)
        return named[name][0]

    def resolve(
        self, group: str, spec: Spec, settings: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Component:
        """Decide every parameter: the spec's over `settings`, by group and name, over the defaults.

        Raises `ConfigError` for what the user got wrong, `PluginError` for a broken plugin.
        """
        kind, settings = KINDS[group], settings or {}
        if spec.adaptations and kind != "protection":
            raise ConfigError(f"{spec}: only a protection can be adapted; drop the '+'")
        if spec.then and kind != "purifier":
            raise ConfigError(f"{spec}: only purifiers follow each other; drop the '>'")
        adaptations = tuple(
            self.resolve("adaptations", adaptation, settings) for adaptation in spec.adaptations
        )
        then = tuple(self.resolve(group, follower, settings) for follower in spec.then)
        entry = self.entry(group, spec.name)
        given = {**settings.get(group, {}).get(spec.name, {}), **dict(spec.parameters)}
        name, version, source = self._provenance(kind, entry)
        draft = Component(
            kind, spec.name, str(spec), entry.value, name, version, source, given,
            adaptations=adaptations, then=then,
        )  # fmt: skip
        memo = self._memo_path({**draft.identity(), "label": str(spec), "python": sys.version})
        decided = _read_memo(memo)
        if decided is None:
            decided = self._decide(draft, settings)
            if memo is not None:
                write_atomically(memo, canonical_json(decided).encode())
        return replace(
            draft,
            parameters=decided["parameters"],
            requires=tuple(decided["requires"]),
            injected=self._injected(decided, settings),
            files=_digests(decided),
        )

    def _decide(
        self, draft: Component, settings: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What only the plugin itself can tell: its parameters, what it requires and injects."""
        factory = load_target(draft.kind, draft.label, draft.target)
        bind = task_parameters if draft.kind == "task" else partial(bind_parameters, draft.kind)
        decided: dict[str, Any] = {
            "parameters": bind(draft.name, factory, draft.parameters),
            "injects": dict(getattr(factory, "injects", {})),
            "files": list(getattr(factory, "files", ())),
        }
        drafted = replace(
            draft,
            parameters=decided["parameters"],
            injected=self._injected(decided, settings),
        )
        return {**decided, "requires": _requires(drafted)}

    def _injected(
        self, decided: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Component]:
        """The plugins that parameters name."""
        return {
            key: self.resolve(group, parse_spec(decided["parameters"][key]), settings)
            for key, group in decided["injects"].items()
        }

    def _provenance(self, kind: str, entry: EntryPoint) -> tuple[str, str, str]:
        """Name and version of an entry point's distribution, and the digest of its source."""
        distribution = entry.dist
        tops: frozenset[str] = frozenset()
        if distribution is not None:
            tops = frozenset((distribution.read_text("top_level.txt") or "").split())
        try:
            if self.index.module(entry.module) is None:
                raise ModuleNotFoundError(f"no module named {entry.module!r}")
            source = self.index.digest(entry.module, tops)
        except (SyntaxError, OSError, ImportError) as error:
            raise plugin_error(kind, entry.name, "could not be imported", error) from error
        if distribution is None:
            return "unknown", "unknown", source
        return distribution.name, distribution.version, source

    def _memo_path(self, inputs: Mapping[str, Any]) -> Path | None:
        if self._memo is None:
            return None
        return self._memo / f"{sha256(canonical_json(inputs).encode())}.json"


def _plain(value: Any) -> Any:
    """JSON has no tuples, Python's defaults no lists."""
    return tuple(value) if isinstance(value, list) else value


def conflict(kind: str, entries: list[EntryPoint]) -> str:
    """What is wrong with several entry points of one name; empty for one."""
    if len(entries) == 1:
        return ""
    owners = " and ".join(sorted(entry.dist.name if entry.dist else "?" for entry in entries))
    return f"{kind} {entries[0].name!r} is registered by {owners}; uninstall one of them"


def _requires(component: Component) -> list[str]:
    """Other protections a protection names in `requires()`; asked only of those that define it."""
    factory = load_target(component.kind, component.label, component.target)
    if not component.adaptations and not hasattr(factory, "requires"):
        return []
    plugin = component.create()
    try:
        return [str(name) for name in plugin.requires()]
    except Exception as error:
        raise plugin_error(
            component.kind, component.label, "failed in requires()", error
        ) from error


def _digests(decided: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files that parameters name: what is in a file decides a result, not its name.

    A parameter that may name a file need not.
    """
    named = {key: Path(str(decided["parameters"][key])) for key in decided["files"]}
    return {key: sha256(path.read_bytes()) for key, path in named.items() if path.is_file()}


def _read_memo(path: Path | None) -> dict[str, Any] | None:
    """What was resolved before; a damaged file counts as none."""
    if path is None or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if set(found) == {"parameters", "requires", "injects", "files"} else None
