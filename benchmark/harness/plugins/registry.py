"""The installed plugins, and how a spec becomes a component.

Built-in plugins are registered by entry points as third parties' are; no name is special here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import (
    PluginError,
    PluginHooks,
    ProtectionHooks,
    hooks,
)
from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.further_models import FurtherModelHooks, model_names
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
#: A setting of every protection and purifier, and one of every task, beside its own parameters: the
#: model that it holds instead of its role's.
SURROGATE, TARGET = "surrogate", "target"
HOLDERS = {"protections": SURROGATE, "purifiers": SURROGATE, "tasks": TARGET}
#: LPIPS of two pictures of other things seldom exceeds 1.
MOST_LPIPS = 1.0
DECIDED_KEYS = {
    "parameters", "requires", "injects", "files", "further_models", "shown", "granularity", "title"
}  # fmt: skip


class Registry:
    """The installed plugins at one moment.

    cache: a folder that keeps the parameters of resolved components by their exact code, so that a
        run whose results are all stored imports neither plugins nor torch. None: no cache.
    isolated: how third-party plugins are asked for their parameters in processes of their own; with
        an interpreter of their own, what is installed beside it is registered too. None: they are
        asked in this process.
    """

    def __init__(self, cache: Path | None = None, isolated: PluginProcess | None = None) -> None:
        self.index = SourceIndex()
        self._cache = cache
        self._isolated = isolated
        python = isolated.python if isolated is not None else ""
        self._elsewhere = OtherEnvironment(python) if python else None

    @cached_property
    def entries(self) -> dict[str, dict[str, list[EntryPoint]]]:
        """Entry points by kind and name; more than one for a name is a conflict."""
        entries: dict[str, dict[str, list[EntryPoint]]] = {group: {} for group in KINDS}
        installed = entry_points()  # once: it reads every distribution
        for group, named in entries.items():
            for entry in installed.select(group=f"impress_bench.{group}"):
                named.setdefault(entry.name, []).append(entry)
        if self._elsewhere is not None:
            for group, others in self._elsewhere.entries().items():
                entries[group] |= others
        return entries

    def entry(self, group: str, name: str) -> EntryPoint:
        """The entry point called `name`. Raises ConfigError if there is none, or several."""
        named = self.entries[group]
        if name not in named:
            raise ConfigError(unknown(KINDS[group], name, sorted(named)))
        if problem := conflict(KINDS[group], named[name]):
            raise ConfigError(problem)
        return named[name][0]

    def resolve(self, group: str, spec: Spec, settings: Settings | None = None) -> Component:
        """The component of a spec: its parameters are the spec's, else those in `settings` by group
        and name, else the defaults.

        Raises ConfigError for a mistake of the user's, PluginError for a broken plugin.
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
        surrogate = str(given.pop(HOLDERS[group], "")) if group in HOLDERS else ""
        for part in then:
            _refuse_surrogate(part, "a chain holds one model; name it in the first")
        name, version, code = self._provenance(kind, entry)
        if then:
            code = code.joined(self.index.code(CHAIN.partition(":")[0]))
        draft = Component(
            kind, spec.name, str(spec), entry.value, name, version, code.digest, given,
            libraries=code.libraries, adaptations=adaptations, then=then, surrogate=surrogate,
        )  # fmt: skip
        cached = self._cached({**draft.identity(), "label": str(spec), "python": sys.version})
        decided = _read_decided(cached)
        if decided is None:
            decided = self._decided(draft, settings)
            if cached is not None:
                write_atomically(cached, canonical_json(decided).encode())
        injected = self._injected(decided, settings)
        return replace(
            draft,
            parameters=decided["parameters"],
            requires=tuple(decided["requires"]),
            injected=injected,
            further_models=_further_models(draft, decided, (*adaptations, *injected.values())),
            files=digests_of_named(decided),
            shown=decided["shown"],
            own_granularity=decided["granularity"],
            title=decided["title"],
        )

    def code(self, group: str, name: str) -> Code:
        """The code that the entry point called `name` runs. Raises ConfigError for an unknown name,
        PluginError if it cannot be read."""
        return self._provenance(KINDS[group], self.entry(group, name))[2]

    def _decided(self, draft: Component, settings: Settings) -> dict[str, Any]:
        """As `decide`, in this process or an isolated one."""
        if self._isolated is None or draft.ours:
            return self.decide(draft, settings)
        return self._isolated.decide(draft, settings)

    def decide(self, draft: Component, settings: Settings) -> dict[str, Any]:
        """What only the plugin's own code defines: parameters with their defaults, required
        protections, injected plugins, files, title. Imports the plugin."""
        factory = load_target(draft.kind, draft.label, draft.target)
        bind = task_parameters if draft.kind == "task" else partial(bind_parameters, draft.kind)
        known = hooks(factory, PluginHooks)
        decided: dict[str, Any] = {
            "parameters": bind(draft.name, factory, draft.parameters),
            "injects": dict(known.injects),
            "files": list(known.files),
            "further_models": (
                list(hooks(factory, FurtherModelHooks).further_models)
                if draft.kind in ("protection", "adaptation")
                else []
            ),
            "shown": shown_of(draft, factory) if draft.kind == "metric" else {},
            "granularity": str(known.granularity),
            "title": known.title or readable(draft.name),
        }
        reserved = TARGET if draft.kind == "task" else SURROGATE
        if reserved in decided["parameters"]:
            plugin = f"{draft.kind} {draft.label}"
            message = f"has a parameter {reserved!r}, which the benchmark reserves; rename it"
            raise PluginError(plugin, message)
        drafted = replace(
            draft,
            parameters=decided["parameters"],
            injected=self._injected(decided, settings),
        )
        if draft.parameters and draft.kind != "task":
            _refuse_what_it_refuses(drafted)
        return {**decided, "requires": requires_of(drafted)}

    def _injected(self, decided: Mapping[str, Any], settings: Settings) -> dict[str, Component]:
        """The plugins that parameters name."""
        injected = {
            key: self.resolve(group, parse_spec(decided["parameters"][key]), settings)
            for key, group in decided["injects"].items()
        }
        for part in injected.values():
            _refuse_surrogate(part, "set it on the plugin that this is a part of")
        return injected

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

    def _cached(self, inputs: Mapping[str, Any]) -> Path | None:
        """The file that caches what was decided on these inputs."""
        if self._cache is None:
            return None
        return self._cache / f"{sha256(canonical_json(inputs).encode())}.json"


def _further_models(
    draft: Component, decided: Mapping[str, Any], parts: Iterable[Component]
) -> dict[str, str]:
    """The models that parameters and parts name, without their digests. Raises ConfigError for a
    text that names none."""
    own: list[str] = []
    for key in decided["further_models"]:
        try:
            own += model_names(str(decided["parameters"][key]))
        except ValueError as error:
            raise ConfigError(f"{draft.label}: {key}: {error}") from None
    return dict.fromkeys([*own, *(name for part in parts for name in part.further_models)], "")


def conflict(kind: str, entries: list[EntryPoint]) -> str:
    """The message on several entry points of one name; empty for one."""
    if len(entries) == 1:
        return ""
    owners = " and ".join(sorted(entry.dist.name if entry.dist else "?" for entry in entries))
    return f"{kind} {entries[0].name!r} is registered by {owners}; uninstall one of them"


def _refuse_surrogate(part: Component, way_out: str) -> None:
    if part.surrogate:
        raise ConfigError(f"{part.label}: {SURROGATE}={part.surrogate}: {way_out}")


def _refuse_what_it_refuses(component: Component) -> None:
    """Raise ConfigError if the plugin refuses a value (by ValueError), or takes one for a budget
    that no image can exceed, before any work is done. Any other error of a plugin fails its own
    cells when it runs."""
    try:
        plugin = component.create()
    except PluginError as error:
        if isinstance(error.__cause__, ValueError):
            raise ConfigError(str(error)) from None
        return
    if component.kind != "protection":
        return
    budget = getattr(hooks(plugin, ProtectionHooks), "budget", None)
    if budget is not None and budget.lpips is not None and budget.lpips > MOST_LPIPS:
        raise ConfigError(
            f"protection {component.label}: a budget of LPIPS {budget.lpips:g} bounds nothing;"
            " LPIPS runs from 0 (equal) to about 1, and GLAZE is published with 0.05"
        )


def _read_decided(path: Path | None) -> dict[str, Any] | None:
    """What a file says was decided; None if it is missing or damaged."""
    if path is None or not path.is_file():
        return None
    try:
        decided: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return None
    return decided if set(decided) == DECIDED_KEYS else None
