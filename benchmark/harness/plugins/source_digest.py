"""What code a component consists of: a digest over its transitive first-party source.

Modules are found and read, never imported, so that a digest costs no torch and runs no plugin.
First party are the modules of this project and those of the top-level packages a plugin brings;
what else they use is told apart by version. Imports inside functions and under `TYPE_CHECKING`
count: the second name the model's class, whose code a plugin calls without importing it.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

PROJECT = "impress_bench"


class Module(NamedTuple):
    """A module's file, found without importing anything."""

    name: str
    path: Path
    is_package: bool
    code: bytes
    tree: ast.Module | None

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


class SourceIndex:
    """Finds, reads and digests modules, each once."""

    def __init__(self) -> None:
        self._specs: dict[str, tuple[ModuleSpec, list[str]] | None] = {}
        self._modules: dict[str, Module | None] = {}
        self._imports: dict[str, frozenset[str]] = {}

    def module(self, name: str) -> Module | None:
        """The module called `name`, or None; a `SyntaxError` where its source is not Python."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def closure(self, name: str, tops: frozenset[str] = frozenset()) -> list[str]:
        """Names of the first-party modules that `name` reaches, itself included, sorted."""
        first_party = tops | {PROJECT, name.partition(".")[0]}
        found, pending = set(), [name]
        while pending:
            current = pending.pop()
            if current in found or current.partition(".")[0] not in first_party:
                continue
            module = self.module(current)
            if module is None:
                continue
            found.add(current)
            pending.extend(self._imported(module, first_party))
        return sorted(found)

    def digest(self, name: str, tops: frozenset[str] = frozenset()) -> str:
        """SHA-256 over the names and contents of `closure(name)`."""
        total = hashlib.sha256()
        for member in self.closure(name, tops):
            module = self.module(member)
            assert module is not None
            total.update(f"{member} {hashlib.sha256(module.code).hexdigest()}\n".encode())
        return total.hexdigest()

    def _locate(self, name: str) -> tuple[ModuleSpec, list[str]] | None:
        """As importlib.util.find_spec, which would import the parents: they may import torch."""
        if name not in self._specs:
            self._specs[name] = self._search(name)
        return self._specs[name]

    def _search(self, name: str) -> tuple[ModuleSpec, list[str]] | None:
        parent, _, tail = name.rpartition(".")
        within: list[str] | None = None
        if parent:
            located = self._locate(parent)
            if located is None:
                return None
            within = located[1]
            if not within:
                return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, within) if find else None
            if spec is None:
                continue
            if spec.submodule_search_locations is None:
                return spec, []
            if spec.loader is None and within is not None:
                # A nested namespace package computes its path from its parent in sys.modules.
                return spec, [f"{folder}/{tail}" for folder in within]
            return spec, list(spec.submodule_search_locations)
        return None

    def _read(self, name: str) -> Module | None:
        located = self._locate(name)
        if located is None or not located[0].has_location or located[0].origin is None:
            return None
        spec = located[0]
        path = Path(located[0].origin)
        code = path.read_bytes()
        tree = ast.parse(code, filename=str(path)) if path.suffix == ".py" else None
        return Module(name, path, spec.submodule_search_locations is not None, code, tree)

    def _imported(self, module: Module, first_party: frozenset[str]) -> frozenset[str]:
        if module.name not in self._imports:
            names = imports_of(module)
            self._imports[module.name] = frozenset(names)
        return frozenset(
            self._nearest(name)
            for name in self._imports[module.name]
            if name.partition(".")[0] in first_party
        )

    def _nearest(self, name: str) -> str:
        """`a.b.C` is the module `a.b.C` if there is one and the module `a.b` otherwise."""
        return name if self._locate(name) else name.rpartition(".")[0]


def imports_of(module: Module) -> Iterator[str]:
    """Absolute dotted names that a module imports, `from a import b` as `a.b`.

    A package with its own `__getattr__` names lazily loaded modules in strings; those count too.
    """
    if module.tree is None:
        return
    lazy = any(
        isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        for node in module.tree.body
    )
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            for alias in node.names:
                yield base if alias.name == "*" else f"{base}.{alias.name}"
        elif lazy and isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if text.removeprefix(".").replace(".", "").isidentifier():
                yield f"{module.package}{text}" if text.startswith(".") else text
                yield f"{module.package}.{text.removeprefix('.')}"


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module a `from … import` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base
