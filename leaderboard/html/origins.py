"""Where figures come from: components with settings and digests, models, code, and the command that
measures a cell again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Packages whose versions may alter results, as far as a run used them.
SHOWN = ("impress-bench", "torch", "torchvision", "diffusers", "transformers", "numpy", "peft")
FIELDS = (
    "started",
    "git",
    "python",
    "hardware",
    "key_schema",
    "device",
    "dtype",
    "models",
    "seeds",
)


def components(origins: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The components of all runs by label, such as `protection glaze`: target, version, digest of
    the source and parameters. Several entries are runs that differ in it."""
    found: dict[str, dict[str, Any]] = {}
    for origin in origins:
        for label, component in origin.get("components", {}).items():
            text = json.dumps(component, sort_keys=True, default=str)
            found.setdefault(str(label), {})[text] = component
    return {label: list(kinds.values()) for label, kinds in sorted(found.items())}


def run_facts(origins: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Code, machine, models and versions of each run; runs that differ only in when they started
    are one."""
    found: dict[str, dict[str, Any]] = {}
    for origin in origins:
        facts = {name: origin[name] for name in FIELDS if name in origin}
        packages = origin.get("packages", {})
        facts["packages"] = {name: packages[name] for name in SHOWN if name in packages}
        alike = {name: value for name, value in facts.items() if name != "started"}
        found.setdefault(json.dumps(alike, sort_keys=True, default=str), facts)
    return list(found.values())


def quoted(specs: Iterable[str]) -> dict[str, str]:
    """Specs as a shell wants them."""
    return {spec: shlex.quote(spec) for spec in specs}


def command(origins: Sequence[Mapping[str, Any]], preset: str, seeds: Iterable[int]) -> str:
    """The start of the command that measures a cell of these runs again; the page's scripts add
    task, protection and purifier. "" if the preset is unknown."""
    named = preset or str(origins[0].get("preset", {}).get("name", "")) if origins else preset
    if not named:
        return ""
    numbers = ",".join(str(seed) for seed in sorted(set(seeds)))
    seed_flag = f" --seeds {numbers}" if numbers else ""
    return f"impress-bench run --preset {shlex.quote(named)}{seed_flag} --out runs/again"
