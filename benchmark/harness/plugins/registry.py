"""Plugins: what is installed, and from a name and parameters to a component.

The built-in ones come through the same entry points as everybody's; nothing here knows a name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import PluginError, PluginHooks, hooks
from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.plugins.component import (
    CHAIN,
    Component,
    load_target,
    readable,
)
from impress_bench.benchmark.harness.plugins.introspection import (
    digests_of_named,
    requires_of,
    shown_of,
)
from impress_bench.benchmark.harness.plugins.other_environment import OtherEnvironment
from impress_bench.benchmark.harness.plugins.parameters import bind_parameters, task_parameters
from impress_bench.benchmark.harness.plugins.plugin_process import PluginProcess
from impress_bench.benchmark.harness.plugins.source_digest import Code, SourceIndex
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.spec import Spec, parse_spec

KINDS = {
    "protections": "protection",
    "purifiers": "purifier",
    "adaptations": "adaptation",
    "metrics": "metric",
    "tasks": "task",
    "models": "model",
}


Settings = Mapping[str, Mapping[str, Any]]
#: What may be said of any protection or purifier, and is no parameter of its own.
SURROGATE = "surrogate"
HOLDERS = ("protections", "purifiers")
DECIDED_KEYS = {"parameters", "requires", "injects", "files", "shown", "title"}


class Registry:
    """The installed plugins at one moment.

    `memo`, a folder, remembers what resolving a component gave for its exact source, so that a run
    whose results are all stored imports neither plugins nor torch. With `apart`, plugins of other
    packages are asked in processes of their own; if these have an interpreter of their own, what is
    installed beside that one is registered too.
    """

    def __init__(self, memo: Path | None = None, apart: PluginProcess | None = None) -> None:
        self.index = SourceIndex()
        self._memo = memo
        self._apart = apart
        python = apart.python if apart is not None else ""
        self._elsewhere = OtherEnvironment(python) if python else None

    @cached_property
    def entries(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Entry points by kind and name; more than one for a name is a conflict."""
        found: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in KINDS}
        for group, named in found.items():
            for entry in entry_points(group=f"impress_bench.{group}"):
                named.setdefault(entry.name, []).append(entry)
        if self._elsewhere is not None:
            for group, others in self._elsewhere.entries().items():
                found[group] |= others
        return found

    def entry(self, group: str, name: str) -> EntryPoint:
        """The one entry point called `name`, or a `ConfigError`."""
        named = self.entries[group]
        if name not in named:
            raise ConfigError(unknown(KINDS[group], name, sorted(named)))
        if problem := conflict(KINDS[group], named[name]):
            raise ConfigError(problem)
        return named[name][0]

    def resolve(self, group: str, spec: Spec, settings: Settings | None = None) -> Component:
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
        surrogate = str(given.pop(SURROGATE, "")) if group in HOLDERS else ""
        for part in then:
            _holds_none(part, "a chain holds one model; name it in the first")
        name, version, code = self._provenance(kind, entry)
        if then:
            code = code.joined(self.index.code(CHAIN.partition(":")[0]))
        draft = Component(
            kind, spec.name, str(spec), entry.value, name, version, code.digest, given,
            libraries=code.libraries, adaptations=adaptations, then=then, surrogate=surrogate,
        )  # fmt: skip
        memo = self._memo_path({**draft.identity(), "label": str(spec), "python": sys.version})
        decided = _read_memo(memo)
        if decided is None:
            decided = self._asked(draft, settings)
            if memo is not None:
                write_atomically(memo, canonical_json(decided).encode())
        return replace(
            draft,
            parameters=decided["parameters"],
            requires=tuple(decided["requires"]),
            injected=self._injected(decided, settings),
            files=digests_of_named(decided),
            shown=decided["shown"],
            title=decided["title"],
        )

    def _asked(self, draft: Component, settings: Settings) -> dict[str, Any]:
        """What only the plugin itself can tell, in this process or apart."""
        if self._apart is None or draft.ours:
            return self.decide(draft, settings)
        return self._apart.decide(draft, settings)

    def decide(self, draft: Component, settings: Settings) -> dict[str, Any]:
        """Ask a plugin in this process: its parameters, what it requires and injects."""
        factory = load_target(draft.kind, draft.label, draft.target)
        bind = task_parameters if draft.kind == "task" else partial(bind_parameters, draft.kind)
        known = hooks(factory, PluginHooks)
        decided: dict[str, Any] = {
            "parameters": bind(draft.name, factory, draft.parameters),
            "injects": dict(known.injects),
            "files": list(known.files),
            "shown": shown_of(draft, factory) if draft.kind == "metric" else {},
            "title": known.title or readable(draft.name),
        }
        if SURROGATE in decided["parameters"] and draft.kind != "task":
            plugin = f"{draft.kind} {draft.label}"
            message = f"has a parameter {SURROGATE!r}, a word of the benchmark's; rename it"
            raise PluginError(plugin, message)
        drafted = replace(
            draft,
            parameters=decided["parameters"],
            injected=self._injected(decided, settings),
        )
        return {**decided, "requires": requires_of(drafted)}

    def _injected(self, decided: Mapping[str, Any], settings: Settings) -> dict[str, Component]:
        """The plugins that parameters name."""
        found = {
            key: self.resolve(group, parse_spec(decided["parameters"][key]), settings)
            for key, group in decided["injects"].items()
        }
        for part in found.values():
            _holds_none(part, "holds the model of what it is a part of; name that one's")
        return found

    def _provenance(self, kind: str, entry: EntryPoint) -> tuple[str, str, Code]:
        """Name and version of an entry point's distribution, and the code that it runs."""
        distribution = entry.dist
        if distribution is not None and self._elsewhere and self._elsewhere.brings(entry):
            return distribution.name, distribution.version, self._elsewhere.code(entry)
        try:
            if self.index.module(entry.module) is None:
                raise ModuleNotFoundError(f"no module named {entry.module!r}")
            code = self.index.code(entry.module, distribution)
        except (SyntaxError, OSError, ImportError) as error:
            raise plugin_error(kind, entry.name, "could not be imported", error) from error
        if distribution is None:
            return "unknown", "unknown", code
        return distribution.name, distribution.version, code

    def _memo_path(self, inputs: Mapping[str, Any]) -> Path | None:
        if self._memo is None:
            return None
        return self._memo / f"{sha256(canonical_json(inputs).encode())}.json"


def conflict(kind: str, entries: list[EntryPoint]) -> str:
    """What is wrong with several entry points of one name; empty for one."""
    if len(entries) == 1:
        return ""
    owners = " and ".join(sorted(entry.dist.name if entry.dist else "?" for entry in entries))
    return f"{kind} {entries[0].name!r} is registered by {owners}; uninstall one of them"


def _holds_none(part: Component, way_out: str) -> None:
    if part.surrogate:
        raise ConfigError(f"{part.label}: {SURROGATE}={part.surrogate}: {way_out}")


def _read_memo(path: Path | None) -> dict[str, Any] | None:
    """What was resolved before; a damaged file counts as none."""
    if path is None or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if set(found) == DECIDED_KEYS else None
