"""Plugin introspection: metric metadata, `requires()`, digests of files that parameters name."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from typing import Any

from impress_bench.benchmark.contract import ProtectionHooks, hooks
from impress_bench.benchmark.errors import plugin_error
from impress_bench.benchmark.harness.plugins.component import Component, load_target
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.benchmark.models.digest import tree_digest
from impress_bench.benchmark.models.hub import commit_of, is_source, place_of


def shown_of(draft: Component, metric: Any) -> dict[str, Any]:
    """A metric's declaration, the images that it is compared with, and the fewest it needs.

    `reference` is "exploit" (what becomes of the clean images), "original" (the clean images, of
    metrics over images alone), "own" (the subject's own images, of metrics over sets alone) or ""
    (none). `titles` says whether it is given texts.
    """
    try:
        info = MetricInfo.of(metric, draft.label)
        known = ("own", "exploit") if info.over == "set" else ("exploit", "original")
        reference = getattr(metric, "reference", known[0])
        if reference not in known:
            raise ValueError(f"reference is {known[0]!r} or {known[1]!r}, not {reference!r}")
        if info.over == "image" and not getattr(metric, "needs_reference", True):
            reference = ""
        return {
            **info.stored(),
            "reference": reference,
            "titles": info.over == "image" and bool(getattr(metric, "needs_titles", False)),
            "minimum": int(getattr(metric, "minimum", 2 if info.over == "set" else 1)),
        }
    except (AttributeError, ValueError) as error:
        raise plugin_error(draft.kind, draft.label, "is no metric", error) from error


def requires_of(component: Component) -> list[str]:
    """Other protections a protection names in `requires()`. A plugin without that hook is not
    created for it."""
    factory = load_target(component.kind, component.label, component.target)
    if not component.adaptations and not hasattr(factory, "requires"):
        return []
    plugin = component.create()
    try:
        return [str(name) for name in hooks(plugin, ProtectionHooks).requires()]
    except Exception as error:
        raise plugin_error(
            component.kind, component.label, "failed in requires()", error
        ) from error


def digests_of_named(decided: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files and folders that parameters name, and commits of what they name on the
    hub, by parameter and word.

    `decided["files"]` lists those parameters; `table.key` is one within a table. A value may be a
    path, a hub id, a command with paths among its words, or name no file at all.
    """
    digests = {}
    for key in decided["files"]:
        named = decided["parameters"]
        for part in key.split("."):
            named = named[part]
        for word in _words(str(named)):
            path = place_of(shutil.which(word) or word)
            if path.is_dir():
                digests[f"{key} {word}"] = tree_digest(path)
            elif path.is_file():
                digests[f"{key} {word}"] = sha256(path.read_bytes())
            elif is_source(word) and (commit := commit_of(word)):
                digests[f"{key} {word}"] = commit
    return digests


def _words(text: str) -> list[str]:
    """The words of a command, or the whole text if it is a path; none if a quote is not closed."""
    path = os.path.expanduser(text)
    if os.path.exists(path):  # unlike Path.exists, False for a text too long for a path
        return [text]
    try:
        return shlex.split(text)
    except ValueError:
        return []
