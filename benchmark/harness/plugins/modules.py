"""Modules as files: located and parsed without importing anything, for imports run code."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """A module's file, located without importing anything; `tree` is None for compiled code."""

    name: str
    path: Path
    is_package: bool
    code: bytes
    tree: ast.Module | None

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


class ModuleFinder:
    """Locates and reads modules, each once."""

    def __init__(self) -> None:
        self._specs: dict[str, tuple[ModuleSpec, list[str]] | None] = {}
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module called `name`, or None; a `SyntaxError` where its source is not Python."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def exists(self, name: str) -> bool:
        """Whether there is a module or package called `name`."""
        return self._locate(name) is not None

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
