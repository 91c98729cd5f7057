"""Whether what a folder in diffusers layout needs is there. Imports no torch and no family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impress_bench.benchmark.models.families.layout import settings
from impress_bench.benchmark.models.hub import weights_in


def without(folder: Path, parts: Sequence[str]) -> str:
    """Why a folder lacks one of the `parts` that have weights; empty if all are there."""
    for part in parts:
        if settings(folder / part / "config.json") is None:
            return f"has no {part}/config.json; is it there in full?"
        if not weights_in(folder / part):
            return f"has no safetensors weights for its {part}; convert them, or fetch them too"
    return ""


def unequal(folder: Path, part: str, name: str, known: Sequence[object], default: object) -> str:
    """Why a setting of a part is none of the `known` ones; empty if it is one of them."""
    found = (settings(folder / part / "config.json") or {}).get(name, default)
    if found in known:
        return ""
    return f"has {name} {found!r} in {part}/config.json; known: {', '.join(map(repr, known))}"


def sized(folder: Path, part: str, unit: str = "latents") -> str:
    """Why a part does not say how large the square images are that it was trained on."""
    size = (settings(folder / part / "config.json") or {}).get("sample_size")
    if isinstance(size, int) and size > 0:
        return ""
    return (
        f"has sample_size {size!r} in {part}/config.json; set it to one side in {unit}, such as"
        f" {128 if unit == 'latents' else 1024} for images of 1024 pixels"
    )


def schedule(folder: Path) -> str:
    """Why a rectified flow's schedule is none that is known."""
    found = settings(folder / "scheduler" / "scheduler_config.json") or {}
    if (kind := found.get("_class_name")) == "FlowMatchEulerDiscreteScheduler":
        return ""
    return f"has the scheduler {kind}; known for a flow: FlowMatchEulerDiscreteScheduler"
