"""What plugins say of themselves, and what they name."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from typing import Any

from impress_bench.benchmark.errors import plugin_error
from impress_bench.benchmark.harness.plugins.component import Component, load_target
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.models.digest import tree_digest
from impress_bench.benchmark.models.hub import commit_of, is_source, place_of


def shown_of(draft: Component, metric: Any) -> dict[str, Any]:
    """What a metric says of itself."""
    try:
        return {
            "title": str(metric.title),
            "higher_is_better": bool(metric.higher_is_better),
            "needs_reference": bool(metric.needs_reference),
        }
    except AttributeError as error:
        raise plugin_error(draft.kind, draft.label, "is no metric", error) from error


def requires_of(component: Component) -> list[str]:
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


def digests_of_named(decided: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files and folders that parameters name, as a path or as words of a command,
    and commits of what they name on the hub: what is in them decides a result, not how they are
    called. A parameter that may name a file need not; `table.key` is one within another."""
    found = {}
    for key in decided["files"]:
        named = decided["parameters"]
        for part in key.split("."):
            named = named[part]
        for word in _words(str(named)):
            path = place_of(shutil.which(word) or word)
            if path.is_dir():
                found[f"{key} {word}"] = tree_digest(path)
            elif path.is_file():
                found[f"{key} {word}"] = sha256(path.read_bytes())
            elif is_source(word) and (commit := commit_of(word)):
                found[f"{key} {word}"] = commit
    return found


def _words(text: str) -> list[str]:
    """A path as it is, a command's words; none where quotes do not close."""
    if os.path.exists(
        os.path.expanduser(text)
    ):  # unlike Path.exists, False for what is too long for a path
        return [text]
    try:
        return shlex.split(text)
    except ValueError:
        return []
