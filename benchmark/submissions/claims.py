"""Whether claimed cells are what a run of the named preset could have measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.harness.environment import model_digest
from impress_bench.benchmark.harness.errors import ConfigError
from impress_bench.benchmark.harness.frames import CELLS as COLUMNS
from impress_bench.benchmark.harness.merge import NARROWED
from impress_bench.benchmark.harness.presets import Preset, load_preset, shipped_presets
from impress_bench.benchmark.harness.registry import Registry
from impress_bench.benchmark.harness.spec import parse_spec
from impress_bench.benchmark.submissions.model import CELLS, PROVENANCE, SUBMISSION, Submission

#: File, field and what is wrong with it.
Told = tuple[str, str, str]
PLACE = ["task", "subject", "protection", "purifier", "seed", "metric"]


def check_claims(
    submission: Submission, cells: pd.DataFrame, provenance: dict[str, Any]
) -> Iterator[Told]:
    """Every complaint, without running anything."""
    preset = submission.claims.preset
    if preset not in shipped_presets():
        known = ", ".join(shipped_presets())
        yield SUBMISSION, "claims.preset", f"{preset!r} is not shipped; choose one of {known}"
        return
    ours = version("impress-bench")
    if submission.claims.benchmark != ours:
        told = f"{submission.claims.benchmark} is not this version, {ours}; run it again"
        yield SUBMISSION, "claims.benchmark", told
    yield from _origin(load_preset(preset), provenance)
    if list(cells) != list(COLUMNS):
        yield CELLS, "", f"has the columns {list(cells)}, not {list(COLUMNS)}"
    elif cells.empty:
        yield CELLS, "", "claims nothing"
    else:
        yield from _cells(submission, cells)


def _origin(preset: Preset, provenance: dict[str, Any]) -> Iterator[Told]:
    """The run that measured them must have been one of the preset as it is shipped."""
    given, shipped = provenance.get("preset"), preset.model_dump(mode="json")
    if not isinstance(given, dict) or given.get("name") != preset.name:
        name = given.get("name") if isinstance(given, dict) else given
        yield PROVENANCE, "preset.name", f"{name!r} is not the preset claimed, {preset.name!r}"
        return
    for field, value in shipped.items():
        if field not in NARROWED and given.get(field) != value:
            yield PROVENANCE, f"preset.{field}", f"is not as in {preset.name}; run it unchanged"
    models = provenance.get("models")
    for role, name in preset.models.roles().items():
        found = models.get(role) if isinstance(models, dict) else None
        digest = found.get("digest") if isinstance(found, dict) else None
        if digest != model_digest(Registry(), name):
            told = "is another model's; run with the one that this version ships"
            yield PROVENANCE, f"models.{role}.digest", told


def _cells(submission: Submission, cells: pd.DataFrame) -> Iterator[Told]:
    """Only rows of the plugin itself, each once, with a number wherever one is said to be."""
    column = submission.kind
    for at, text in enumerate(cells[column], start=2):
        try:
            named = parse_spec(text).name
        except ConfigError:
            named = ""
        if named != submission.name:
            yield CELLS, f"line {at}", f"is of {column} {text!r}, not of {submission.name!r}"
            return
    if cells.duplicated(PLACE).any():
        at = int(cells.duplicated(PLACE).to_numpy().argmax()) + 2
        yield CELLS, f"line {at}", "names a cell that is there already"
    for at, (value, state) in enumerate(zip(cells["value"], cells["state"], strict=True), start=2):
        if state not in list(State):
            yield CELLS, f"line {at}", f"has the state {state!r}; known: {', '.join(State)}"
        elif (state == State.DONE) != _finite(value):
            yield CELLS, f"line {at}", f"has the value {value!r} and the state {state}"


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
