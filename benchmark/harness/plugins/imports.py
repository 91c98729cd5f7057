"""What a module imports, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from impress_bench.benchmark.harness.plugins.modules import Module


class Import(NamedTuple):
    """`import module`, or `from module import name`."""

    module: str
    name: str = ""


def imports_of(module: Module) -> Iterator[Import]:
    """What a module imports, with absolute names.

    A package with its own `__getattr__` names lazily loaded modules in strings; those count too.
    """
    if module.tree is None:
        return
    lazy = is_lazy(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            for alias in node.names:
                yield Import(base, "" if alias.name == "*" else alias.name)
        elif lazy and isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if text.removeprefix(".").replace(".", "").isidentifier():
                for name in (text, f"{module.package}.{text.removeprefix('.')}"):
                    if not name.startswith("."):
                        yield Import(*name.rpartition(".")[::2]) if "." in name else Import(name)


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module a `from … import` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def is_lazy(module: Module) -> bool:
    """Whether a module has a `__getattr__` of its own."""
    return module.tree is not None and any(
        (isinstance(node, ast.FunctionDef) and node.name == "__getattr__")
        or (
            isinstance(node, ast.Assign)
            and any(
                isinstance(name, ast.Name) and name.id == "__getattr__"
                for target in node.targets
                for name in ast.walk(target)
            )
        )
        for node in module.tree.body
    )


def string_tables(module: Module) -> Iterator[tuple[str, str]]:
    """Keys and values of the dictionaries of strings that stand in a module's body."""
    for node in module.tree.body if module.tree is not None else ():
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and isinstance(key.value, str)
                    and isinstance(item, ast.Constant)
                    and isinstance(item.value, str)
                ):
                    yield key.value, item.value
