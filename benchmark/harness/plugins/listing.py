"""What `impress-bench list` shows, read from metadata and source without importing a plugin."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Collection
from importlib.metadata import EntryPoint, version
from typing import NamedTuple

from impress_bench.benchmark.harness.config.loading import shipped_presets
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.imports import absolute
from impress_bench.benchmark.harness.plugins.registry import KINDS, Registry, conflict
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex


class Listing(NamedTuple):
    """One line of `impress-bench list`; `problem` is empty if none is known."""

    kind: str
    name: str
    summary: str
    distribution: str
    version: str
    target: str
    problem: str


def list_components(
    registry: Registry, wanted: Collection[tuple[str, str]] | None = None
) -> list[Listing]:
    """Every registered component, or those of the `wanted` kinds and names, sorted by name within
    its kind; `problem` says what is wrong."""
    return [
        _describe(registry, group, entry)
        for group, named in registry.entries.items()
        for name in sorted(named)
        if wanted is None or (KINDS[group], name) in wanted
        for entry in named[name]
    ]


def _describe(registry: Registry, group: str, entry: EntryPoint) -> Listing:
    kind, summary, problem = KINDS[group], "", ""
    try:
        summary = _summary(registry.index, entry.module, entry.attr)
    except (SyntaxError, LookupError, OSError, ValueError) as error:
        problem = f"{type(error).__name__}: {error.args[0]}"
    name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
    problem = conflict(kind, registry.entries[group][entry.name]) or problem
    return Listing(kind, entry.name, summary, name, version, entry.value, problem)


def _summary(index: SourceIndex, module_name: str, attribute: str) -> str:
    """The first sentence of a class's or function's docstring. Raises LookupError if that class or
    function is not there."""
    module = index.module(module_name)
    if module is None:
        raise LookupError(f"no module named {module_name!r}")
    if module.tree is None:
        return ""
    of_module = ast.get_docstring(module.tree) or ""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return _first_sentence(ast.get_docstring(node) or of_module)
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            return _first_sentence(of_module)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == attribute:
                    return _summary(index, absolute(module, node), alias.name)
        if _assigns(node, attribute):
            return _first_sentence(of_module)
    raise LookupError(f"module {module_name!r} has no attribute {attribute!r}")


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _first_sentence(text: str) -> str:
    """Of the first paragraph; a full stop ends one before a capital, so that `et al. 2023` does
    not."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    found = re.match(r".+?[.!?](?= [A-Z]|$)", paragraph)
    return found[0] if found else paragraph


def list_presets() -> list[Listing]:
    """The presets that come with the package."""
    listings = []
    for name, path in shipped_presets().items():
        title, problem = "", ""
        try:
            title = str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
        except (OSError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        mine = version(OURS)
        listings.append(Listing("preset", name, title, OURS, mine, str(path), problem))
    return listings
