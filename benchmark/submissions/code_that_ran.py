"""Whether a plugin is the code that was run: its source, its parameters, what it is made of.

A version says nothing of that: an editable install changes without one, and a release can be built
twice. What a run notes of a component is compared with what is installed, but for the versions of
libraries and the places of files, which differ between machines.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import CHAIN, OURS
from impress_bench.benchmark.harness.plugins.other_environment import OtherEnvironment
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.plugins.source_digest import Code, SourceIndex
from impress_bench.benchmark.harness.storage.keys import canonical_json
from impress_bench.benchmark.spec import parse_spec

#: What else a component is made of: parts in order, and parts by parameter.
LISTED, NAMED = ("adaptations", "then"), "injected"
Part = Mapping[str, Any]


def changed(ran: Part, here: Part, source: bool = True) -> str:
    """The first of what differs, such as `source` or `parameters.steps`; "" for the same code.
    Without `source` digests of code are left out."""
    one, other = dict(_facts(ran, source)), dict(_facts(here, source))
    return next((name for name in {**one, **other} if one.get(name) != other.get(name)), "")


def check_installed(origin: dict[str, Any], kind: str, rows: list[str]) -> None:
    """Raise ConfigError if what is installed is not the code that made the `rows` of a run, specs
    of a `kind`."""
    preset, registry = Preset.model_validate(origin["preset"]), Registry()
    for row in rows:
        for task in ("", *(spec.name for spec in preset.specs("tasks"))):
            ran = origin["components"].get(f"{kind} {row} in {task}" if task else f"{kind} {row}")
            if ran is None:
                continue
            try:
                spec = parse_spec(row)
                here = registry.resolve(f"{kind}s", spec, preset.settings.of(task)).identity()
                as_noted = json.loads(canonical_json(here))
                told = changed(ran, as_noted, notes_sources(origin))
            except (ConfigError, PluginError) as error:
                told = str(error)
            if told:
                raise ConfigError(
                    f"--run: {row} is no longer the code that was run ({told}); run it again, or"
                    " install the release that ran"
                )


def notes_sources(origin: Mapping[str, Any]) -> bool:
    """Whether a run noted digests of its plugins' source: plugins of another environment it knows
    by the hashes of their installed files instead."""
    return not origin["preset"].get("plugin_python")


def with_sources(component: Part, python: str) -> dict[str, Any] | None:
    """What a run noted of a component in the environment of the interpreter `python`, with digests
    of source; None where a source is not found there. Raises ConfigError if it is no environment.
    """
    environment = OtherEnvironment(python)
    with _behind(environment.folders):
        return _with_sources(component, environment, SourceIndex())


@contextmanager
def _behind(folders: list[str]) -> Iterator[None]:
    """Modules in `folders` can be located, but for those that are installed here too, above all
    this package's."""
    before = list(sys.path)
    sys.path += folders
    try:
        yield
    finally:
        sys.path[:] = before


def _with_sources(
    part: Part, environment: OtherEnvironment, index: SourceIndex
) -> dict[str, Any] | None:
    found = dict(part)
    if part["distribution"] != OURS:
        name = str(part["target"]).partition(":")[0]
        module = index.module(name)
        if module is None or not any(
            module.path.is_relative_to(Path(folder)) for folder in environment.folders
        ):
            return None
        installed = environment.installed.get(canonicalize_name(part["distribution"]))
        code = Code(index.code(name, installed).digest, {})
        if part.get("then"):
            code = code.joined(index.code(CHAIN.partition(":")[0]))
        found["source"] = code.digest
    for name in LISTED:
        if name in part:
            found[name] = [_with_sources(one, environment, index) for one in part[name]]
            if None in found[name]:
                return None
    if NAMED in part:
        parts = part[NAMED].items()
        found[NAMED] = {key: _with_sources(one, environment, index) for key, one in parts}
        if None in found[NAMED].values():
            return None
    return found


def _facts(part: Any, source: bool, within: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of all that makes a component what it is. What was sent in may be anything."""
    part = _table(part)
    for name in ("source", "target") if source else ("target",):
        yield f"{within}{name}", part.get(name)
    files: dict[str, list[str]] = {}
    # A key is a parameter and a word of its value, mostly a path; the digest is what counts.
    for key, digest in _table(part.get("files")).items():
        files.setdefault(key.partition(" ")[0], []).append(str(digest))
    for name, value in _table(part.get("parameters")).items():
        if name not in files:
            yield f"{within}parameters.{name}", value
    for name, digests in files.items():
        yield f"{within}files.{name}", sorted(digests)
    for name in LISTED:
        listed = part.get(name)
        for at, one in enumerate(listed if isinstance(listed, list) else ()):
            yield from _facts(one, source, f"{within}{name}.{at}.")
    for key, one in _table(part.get(NAMED)).items():
        yield from _facts(one, source, f"{within}{NAMED}.{key}.")


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
