"""Writes the package of a new plugin: installable, conforming, with a test and a CI workflow."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

from impress_bench.benchmark.errors import ConfigError

#: What the package's README runs.
ROWS = {"protection": "{0},random-noise[match={0}]", "purifier": "none,{0}", "metric": "{0}"}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def scaffold(kind: str, name: str, into: Path) -> list[Path]:
    """Write the package of a "protection", "purifier" or "metric" into the folder `into`/`name`.

    Returns the files. Raises ConfigError if `name` cannot be the name of a distribution and a
    module, or if the folder exists.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name: write lower-case words with hyphens")
    folder = into / name
    if folder.exists():
        raise ConfigError(f"{folder} exists; choose another name or --into")
    module = name.replace("-", "_")
    words = {
        "kind": kind,
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
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
