"""Plugins: what is installed, and from a name and parameters to something that can be created.

The built-in ones come through the same entry points as everybody's; nothing here knows a name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.files import write_atomically
from impress_bench.benchmark.harness.keys import canonical_json, sha256
from impress_bench.benchmark.harness.parameters import bind_parameters, task_parameters
from impress_bench.benchmark.harness.source import SourceIndex
from impress_bench.benchmark.harness.spec import Spec

KINDS = {
    "protections": "protection",
    "purifiers": "purifier",
    "tasks": "task",
    "models": "model",
}


@dataclass(frozen=True)
class Component:
    """A plugin with every parameter decided; picklable, and created only where it runs."""

    kind: str
    name: str
    label: str
    target: str
    distribution: str
    version: str
    source: str
    parameters: Mapping[str, Any]
    requires: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What of it decides a result. The registered name does not."""
        return {
            "target": self.target,
            "distribution": self.distribution,
            "version": self.version,
            "source": self.source,
            "parameters": dict(self.parameters),
        }

    def create(self) -> Any:
        """The plugin object; whatever goes wrong in its code becomes a `PluginError`."""
        factory = load_target(self.kind, self.label, self.target)
        try:
            if self.kind == "task":
                return factory(factory.Settings(**self.parameters))  # type: ignore[attr-defined]
            return factory(**{key: _plain(value) for key, value in self.parameters.items()})
        except Exception as error:
            raise plugin_error(self.kind, self.label, "could not be created", error) from error


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
        self, group: str, spec: Spec, settings: Mapping[str, Any] | None = None
    ) -> Component:
        """Decide every parameter: the spec's over the preset's `settings` over the defaults.

        Raises `ConfigError` for what the user got wrong, `PluginError` for a broken plugin.
        """
        kind, label = KINDS[group], str(spec)
        entry = self.entry(group, spec.name)
        given = {**(settings or {}), **dict(spec.parameters)}
        name, version, source = self._provenance(kind, entry)
        known = {"kind": kind, "target": entry.value, "version": version, "source": source}
        memo = self._memo_path({**known, "given": given, "python": sys.version})
        resolved = _read_memo(memo)
        if resolved is None:
            factory = load_target(kind, label, entry.value)
            if kind == "task":
                parameters = task_parameters(spec.name, factory, given)
            else:
                parameters = bind_parameters(kind, spec.name, factory, given)
            draft = Component(
                kind, spec.name, label, entry.value, name, version, source, parameters
            )
            resolved = {"parameters": parameters, "requires": _requires(draft)}
            if memo is not None:
                write_atomically(memo, canonical_json(resolved).encode())
        return Component(
            kind=kind,
            name=spec.name,
            label=label,
            target=entry.value,
            distribution=name,
            version=version,
            source=source,
            parameters=resolved["parameters"],
            requires=tuple(resolved["requires"]),
        )

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
    if not hasattr(factory, "requires"):
        return []
    plugin = component.create()
    try:
        return [str(name) for name in plugin.requires()]
    except Exception as error:
        raise plugin_error(
            component.kind, component.label, "failed in requires()", error
        ) from error


def _read_memo(path: Path | None) -> dict[str, Any] | None:
    """What was resolved before; a damaged file counts as none."""
    if path is None or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if set(found) == {"parameters", "requires"} else None
