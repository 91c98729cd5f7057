"""What code a component consists of: a digest of the modules that it reaches, and library versions.

Modules are located and read, never imported, so that a digest loads no torch and runs no plugin.
Followed are imports of this project's modules, of those that a plugin's distribution brings, and of
those without a version to go by: editable installs and files that merely lie on `sys.path`. Of
other third-party distributions the versions count. Imports inside functions and under
`TYPE_CHECKING` count too: the second name the model's class, whose code a plugin calls without
importing it.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from typing import NamedTuple

from packaging.utils import canonicalize_name

from impress_bench.benchmark.harness.plugins.imports import (
    Import,
    imports_of,
    is_lazy,
    string_tables,
)
from impress_bench.benchmark.harness.plugins.libraries import Libraries, top_levels
from impress_bench.benchmark.harness.plugins.modules import Module, ModuleFinder

PROJECT = "impress_bench"
#: Fields of a syntax tree that alter nothing when the code runs.
IMMATERIAL = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


class Code(NamedTuple):
    """What a module runs: the digest of first-party code, and the versions of the distributions
    that this code imports; for code of third parties, also of those that these require."""

    digest: str
    libraries: Mapping[str, str]

    def joined(self, other: Code) -> Code:
        """Both together."""
        digest = hashlib.sha256(f"{self.digest} {other.digest}".encode()).hexdigest()
        return Code(digest, {**self.libraries, **other.libraries})


class SourceIndex:
    """Locates, reads and digests modules, each once."""

    def __init__(self) -> None:
        self._finder = ModuleFinder()
        self._libraries = Libraries()
        self._imports: dict[str, tuple[Import, ...]] = {}
        self._digests: dict[str, str] = {}
        self._homes: dict[str, dict[str, str]] = {}
        self._codes: dict[tuple[str, str], Code] = {}

    def module(self, name: str) -> Module | None:
        """The module called `name`, or None; a `SyntaxError` where its source is not Python."""
        return self._finder.module(name)

    def closure(self, name: str, tops: frozenset[str] = frozenset()) -> list[str]:
        """Names of the first-party modules that `name` reaches, itself included, sorted."""
        return self._reached(name, tops)[0]

    def digest(self, name: str, tops: frozenset[str] = frozenset()) -> str:
        """SHA-256 over the names and code of `closure(name)`; comments, docstrings and layout do
        not alter it."""
        return self._digest(self.closure(name, tops))

    def code(self, name: str, distribution: Distribution | None = None) -> Code:
        """The code of the module `name`, which `distribution` brings: the digest of what it
        reaches, and the versions of the libraries that this imports or `distribution` requires."""
        place = name, distribution.name if distribution is not None else ""
        if place not in self._codes:
            self._codes[place] = self._code(name, distribution)
        return self._codes[place]

    def _code(self, name: str, distribution: Distribution | None) -> Code:
        tops = top_levels(distribution) if distribution is not None else frozenset[str]()
        members, used, theirs = self._reached(name, tops)
        own = {canonicalize_name(distribution.name)} if distribution is not None else set()
        names = (used | self._libraries.required(theirs | own)) - own
        return Code(
            self._digest(members), {name: self._libraries.version(name) for name in sorted(names)}
        )

    def _reached(self, name: str, tops: frozenset[str]) -> tuple[list[str], set[str], set[str]]:
        """The first-party modules that `name` reaches, the distributions that those of this project
        import, and the distributions that the others do."""
        first_party = tops | {PROJECT, name.partition(".")[0]}
        members: set[str] = set()
        used: set[str] = set()
        theirs: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop()
            module = None if current in members else self.module(current)
            if module is None:
                continue
            members.add(current)
            libraries = used if current.partition(".")[0] == PROJECT else theirs
            for imported in self._imported(module):
                top = imported.module.partition(".")[0]
                versioned = () if top in first_party else self._versioned(top)
                libraries.update(versioned)
                if not versioned and top not in sys.stdlib_module_names:
                    pending.append(self._target(imported))
        return sorted(members), used, theirs

    def _versioned(self, top: str) -> tuple[str, ...]:
        """The distributions of a top-level module whose versions change with their code."""
        owners = self._libraries.owners(top)
        return tuple(owner for owner in owners if not self._libraries.editable(owner))

    def _digest(self, members: list[str]) -> str:
        total = hashlib.sha256()
        for member in members:
            if member not in self._digests:
                module = self.module(member)
                assert module is not None
                self._digests[member] = code_digest(module)
            total.update(f"{member} {self._digests[member]}\n".encode())
        return total.hexdigest()

    def _imported(self, module: Module) -> tuple[Import, ...]:
        if module.name not in self._imports:
            self._imports[module.name] = tuple(dict.fromkeys(imports_of(module)))
        return self._imports[module.name]

    def _target(self, imported: Import) -> str:
        """The module that an import is about: `from a import b` the module `a.b` if there is one;
        the one that `b` comes from if `a` is a package that loads it on first use; else `a`."""
        if not imported.name:
            return imported.module
        full = f"{imported.module}.{imported.name}"
        return full if self._finder.exists(full) else self._home(*imported)

    def _home(self, package: str, name: str) -> str:
        module = self.module(package)
        if module is None or not is_lazy(module):
            return package
        if package not in self._homes:
            self._homes[package] = dict(self._named_homes(module))
        return self._homes[package].get(name, package)

    def _named_homes(self, module: Module) -> Iterator[tuple[str, str]]:
        """Names of a lazy package and the modules that it loads them from, as far as a dictionary
        of strings says so."""
        for name, home in string_tables(module):
            for place in (f"{module.package}.{home.removeprefix('.')}", home):
                if not place.startswith(".") and self._finder.exists(place):
                    yield name, place
                    break


def code_digest(module: Module) -> str:
    """SHA-256 of what a module runs: its syntax tree without strings that stand by themselves, as
    docstrings do; the bytes of compiled code."""
    code = module.code if module.tree is None else _outline(module.tree).encode()
    return hashlib.sha256(code).hexdigest()


def _outline(node: object) -> str:
    """A syntax tree as text. As `ast.dump`, whose text is another in other versions of Python:
    fields that are empty, new ones among them, are left out."""
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__} {node.value!r}"
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        parts = [
            f"{name}={_outline(value)}"
            for name, value in fields
            if name not in IMMATERIAL and value is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(parts)})"
    if isinstance(node, list):
        return f"[{','.join(_outline(item) for item in node if not _is_prose(item))}]"
    return repr(node)


def _is_prose(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
