"""The provenance of a run: code, packages, hardware, models, seeds and the preset."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.storage.keys import SCHEMA
from impress_bench.benchmark.models.digest import folder_digest


def provenance(plan: Plan) -> dict[str, Any]:
    """The provenance as plain values. Written beside the results, never into boards."""
    packages = {item.name: item.version for item in distributions()}
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": git_state(Path(__file__).resolve().parent),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "hardware": hardware(plan.preset.device),
        "key_schema": SCHEMA,
        "device": plan.preset.device,
        "dtype": str(plan.preset.numerics.chosen()),
        "models": {
            role: {"name": name, "digest": plan.models[role]}
            for role, name in plan.preset.models.roles().items()
        },
        "pack": folder_digest(PACK),
        "seeds": list(plan.preset.seeds),
        "preset": plan.preset.model_dump(mode="json"),
        "components": {name: _decided(part) for name, part in plan.components.items()},
    }


def _decided(component: Component) -> dict[str, Any]:
    """The identity of a component, with the digests of its surrogate and its further models if it
    has any."""
    models = {
        "surrogate": component.surrogate_digest,
        "further_models": dict(component.further_models),
    }
    return component.identity() | {name: digest for name, digest in models.items() if digest}


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout that contains `folder`; None outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    tracked = _git(folder, "ls-files", "--error-unmatch", "provenance.py")
    if commit is None or tracked is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def hardware(device: str) -> dict[str, Any]:
    """Processor, cores and memory, as far as the system reports them, and for "cuda" the GPU."""
    known = {
        "system": platform.platform(),
        "processor": _first_match(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": _first_match(Path("/proc/meminfo"), "MemTotal"),
    }
    return known | _gpu() if device == "cuda" else known


def _gpu() -> dict[str, str]:
    """The names of the GPUs that this machine lets the run use; none if all results were stored
    elsewhere and there is none here."""
    import torch

    if not torch.cuda.is_available():
        return {}
    names = Counter(torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count()))
    return {"gpu": ", ".join(f"{count} x {name}" for name, count in names.items())}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _first_match(path: Path, name: str) -> str:
    if not path.is_file():
        return ""
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
