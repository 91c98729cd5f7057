"""Which family a diffusion model is of, told before any weight is read. Imports no torch."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from impress_bench.benchmark.models.families import FAMILIES, OF_FILES
from impress_bench.benchmark.models.families.layout import UnusableModelError, settings
from impress_bench.benchmark.models.hub import missing, on_this_machine

WAY_OUT = "name one of these, or register a model of another kind (docs/add-a-model.md)"


def model_problem(source: str) -> str:
    """What is to be done before a diffusion model can be loaded; empty if it is on this machine and
    of a family that is known. Fetches nothing."""
    if problem := missing(source):
        return problem
    place = on_this_machine(source)
    assert place is not None
    return unsuitable(place)


def unsuitable(place: Path) -> str:
    """Why the model in a folder or file cannot be used, and the way out; empty if it can."""
    try:
        family = family_of(place)
    except UnusableModelError as error:
        return str(error)
    problem: str = _check(family).unsuitable(place)
    return problem


def family_of(place: Path) -> str:
    """The loader of the model in a folder or single file, a module of its family's, by the class
    that its model_index.json names.

    Raises UnusableModelError for an unknown one, with those known.
    """
    if place.is_file():
        return OF_FILES
    index = settings(place / "model_index.json")
    if index is None:
        raise UnusableModelError("has no model_index.json, so it is no folder in diffusers layout")
    return family_named(index.get("_class_name"))


def family_named(pipeline: object) -> str:
    """The loader of the family with that pipeline. Raises UnusableModelError as `family_of`."""
    if not isinstance(pipeline, str) or pipeline not in FAMILIES:
        families = dict.fromkeys(FAMILIES.values())
        names = "; ".join(_check(family).NAME for family in families)
        raise UnusableModelError(
            f"is a {pipeline}; known are {names}: {', '.join(FAMILIES)}; {WAY_OUT}"
        )
    return FAMILIES[pipeline]


def _check(loader: str) -> Any:
    """The module beside a family's loader that checks settings."""
    return import_module(f"{loader.rpartition('.')[0]}.check")
