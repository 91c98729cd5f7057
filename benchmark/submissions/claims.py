"""Whether claimed cells are what a run of the named preset, with this version, could measure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.models import model_digest
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.board_meta import board_meta
from impress_bench.benchmark.harness.runs.folder import NARROWED
from impress_bench.benchmark.submissions.model import CELLS, PROVENANCE, SUBMISSION, Submission
from impress_bench.leaderboard.meta import BoardMeta

#: File, field and what is wrong with it.
Told = tuple[str, str, str]


class Offered(NamedTuple):
    """What a run of a preset can measure: subjects and metrics of each task, and how boards show
    it."""

    subjects: dict[str, set[str]]
    metrics: dict[str, set[str]]
    meta: BoardMeta


@lru_cache(maxsize=8)
def offered(name: str) -> Offered:
    """What the shipped preset of a name offers."""
    preset = load_preset(name).override({}, protections=["identity"], purifiers=["none"])
    plan = make_plan(preset, Registry())
    subjects: dict[str, set[str]] = {}
    for cell in plan.cells:
        subjects.setdefault(cell.place.task, set()).add(cell.place.subject)
    metrics = {task.name: {metric.name for metric in task.metrics} for task in plan.tasks}
    return Offered(subjects, metrics, board_meta(plan))


def check_claims(
    submission: Submission, cells: pd.DataFrame, provenance: dict[str, Any]
) -> Iterator[Told]:
    """Every complaint, without running anything."""
    preset = submission.claims.preset
    if preset not in shipped_presets():
        known = ", ".join(shipped_presets())
        yield SUBMISSION, "claims.preset", f"{preset!r} is not shipped; choose one of {known}"
        return
    ours = version(OURS)
    if submission.claims.benchmark != ours:
        told = f"{submission.claims.benchmark} is not this version, {ours}; run it again"
        yield SUBMISSION, "claims.benchmark", told
    if any(entry.dist and entry.dist.name == OURS for entry in _entries(submission)):
        told = f"{submission.name!r} comes with {OURS} itself; register another name"
        yield SUBMISSION, "name", told
    found = list(_origin(submission, load_preset(preset), provenance))
    yield from found
    if not found:
        yield from _places(submission, cells, provenance)


def _entries(submission: Submission) -> list[Any]:
    return Registry().entries[f"{submission.kind}s"].get(submission.name, [])


def _origin(submission: Submission, preset: Preset, provenance: dict[str, Any]) -> Iterator[Told]:
    """The run that measured them must have been one of the preset as it is shipped."""
    given, shipped = provenance["preset"], preset.model_dump(mode="json")
    if given["name"] != preset.name:
        told = f"{given['name']!r} is not the preset claimed, {preset.name!r}"
        yield PROVENANCE, "preset.name", told
        return
    for field, value in shipped.items():
        if field not in NARROWED and given.get(field) != value:
            yield PROVENANCE, f"preset.{field}", f"is not as in {preset.name}; run it unchanged"
    for role, name in preset.models.roles().items():
        if _at(provenance, "models", role, "digest") != model_digest(Registry(), name):
            told = "is another model's; run with the one that this version ships"
            yield PROVENANCE, f"models.{role}.digest", told
    if _at(provenance, "packages", OURS) != submission.claims.benchmark:
        told = f"is not the version claimed, {submission.claims.benchmark}"
        yield PROVENANCE, f"packages.{OURS}", told


def _places(
    submission: Submission, cells: pd.DataFrame, provenance: dict[str, Any]
) -> Iterator[Told]:
    """The cells must be ones of the preset, and the plugin that of the pinned distribution."""
    preset, offer = load_preset(submission.claims.preset), offered(submission.claims.preset)
    other = "purifier" if submission.kind == "protection" else "protection"
    others = {str(spec) for spec in preset.specs(f"{other}s")}
    for at, row in enumerate(cells.itertuples(index=False), start=2):
        known = {
            "task": set(offer.metrics),
            "subject": offer.subjects.get(str(row.task), set()),
            "metric": offer.metrics.get(str(row.task), set()),
            "seed": {str(seed) for seed in preset.seeds},
            other: others,
        }
        for column, values in known.items():
            if getattr(row, column) not in values:
                told = f"{column} {getattr(row, column)!r} is none of the preset {preset.name}"
                yield CELLS, f"line {at}", told
                return
    pinned = submission.distribution
    for spec in dict.fromkeys(cells[submission.kind]):
        name = f"{submission.kind} {spec}"
        by = _at(provenance, "components", name, "distribution")
        if by != pinned.name:
            told = f"is of the distribution {by!r}, not of the one pinned, {pinned.name!r}"
            yield PROVENANCE, f"components.{name}", told
            return
        run = _at(provenance, "components", name, "version")
        if pinned.version not in (None, run):
            told = f"was run in version {run}, not in the one pinned, {pinned.version}"
            yield PROVENANCE, f"components.{name}", told
            return


def _at(document: Any, *path: str) -> Any:
    """What stands in a document that may have any shape."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
