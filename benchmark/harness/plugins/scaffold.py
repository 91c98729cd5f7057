"""Writes the package of a new plugin: installable, conforming, with a test and a CI workflow."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.libraries import Libraries
from impress_bench.benchmark.harness.plugins.registry import KINDS, Registry

#: What the package's README runs.
ROWS = {
    "protection": "identity,{0},random-noise[match={0},within=mask]",
    "purifier": "none,{0}",
    "metric": "{0}",
}
#: What the package says of itself until somebody writes what it does.
SUMMARY = "A {} for impress-bench"
RUN_BY_THEMSELVES = ("conftest", "sitecustomize", "usercustomize")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def scaffold(kind: str, name: str, into: Path) -> list[Path]:
    """Write the package of a "protection", "purifier" or "metric" into the folder `into`/`name`.

    Returns the files. Raises ConfigError if `name` cannot be the name of a distribution, a module
    and a plugin, since it is none or there is one, or if the folder exists.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name: write lower-case words with hyphens")
    module = name.replace("-", "_")
    if reason := taken(name, module):
        raise ConfigError(f"{name!r} {reason}; choose another name")
    folder = into / name
    if folder.exists():
        raise ConfigError(f"{folder} exists; choose another name or --into")
    words = {
        "kind": kind,
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "summary": SUMMARY.format(kind),
        "row": ROWS[kind].format(name),
    }
    layout = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"src/{module}/__init__.py": f"{kind}.py",
        f"tests/test_{module}.py": f"test_{kind}.py",
        ".github/workflows/test.yml": "workflow.yml",
    }
    templates = files("impress_bench.benchmark") / "templates"
    written = []
    for place, template in layout.items():
        text = (templates / f"{template}.txt").read_text(encoding="utf-8")
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(words), encoding="utf-8")
        written.append(path)
    return written


def taken(name: str, module: str) -> str:
    """Why no new package may be called so; "" if one may. An install of it would replace what is
    there, or its plugin would be registered twice."""
    if keyword.iskeyword(module):
        return "is a keyword of Python's, which no module can be called"
    if module in sys.stdlib_module_names:
        return "is a module of Python's own, which would hide the package"
    if module in RUN_BY_THEMSELVES:
        return "is a module that Python or pytest runs by itself"
    for group, named in Registry().entries.items():
        if name in named:
            return f"is a registered {KINDS[group]} already"
    libraries = Libraries()
    if owners := libraries.owners(module):
        return f"is a module of {', '.join(owners)}, which the package would replace"
    if libraries.version(name) != "absent":
        return "is an installed distribution, which the package would replace"
    return ""
