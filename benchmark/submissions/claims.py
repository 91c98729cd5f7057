"""Whether claimed cells are what a run of the named preset, with this version, could measure."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.models import model_digest
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.folder import NARROWED
from impress_bench.benchmark.harness.storage.keys import SCHEMA
from impress_bench.benchmark.models.digest import folder_digest
from impress_bench.benchmark.submissions.cells import PLACE, canonical
from impress_bench.benchmark.submissions.distances import VISIBLE, typed
from impress_bench.benchmark.submissions.grid import BASELINES, Offered, Place, offered
from impress_bench.benchmark.submissions.model import (
    CELLS,
    DISTANCES,
    PROVENANCE,
    SUBMISSION,
    Submission,
)
from impress_bench.leaderboard.schema import CONTROL, is_control

#: File, field and what is wrong with it.
Told = tuple[str, str, str]
AGAIN = "run the preset {preset} as it is shipped, with --{kind}s '{rows}', and `submit` again"


class Claimed(NamedTuple):
    """A submission whose files have the right form."""

    submission: Submission
    cells: pd.DataFrame
    distances: pd.DataFrame
    provenance: dict[str, Any]

    @property
    def specs(self) -> list[str]:
        """The plugin's own rows, with their parameters and adaptations."""
        named = self.cells.loc[
            ~self.cells["protection"].str.startswith(CONTROL), self.submission.kind
        ]
        return [
            text
            for text in dict.fromkeys(named)
            if canonical(self.submission.kind, text).name == self.submission.name
        ]


def check_claims(claimed: Claimed) -> Iterator[Told]:
    """Every complaint, without running anything."""
    submission = claimed.submission
    preset = submission.claims.preset
    if preset not in shipped_presets():
        known = ", ".join(shipped_presets())
        yield SUBMISSION, "claims.preset", f"{preset!r} is not shipped; choose one of {known}"
        return
    ours = version(OURS)
    if submission.claims.benchmark != ours:
        told = f"{submission.claims.benchmark} is not this version, {ours}; run it again"
        yield SUBMISSION, "claims.benchmark", told
    found = list(_origin(submission, load_preset(preset), claimed.provenance))
    yield from found
    if found:
        return
    if not claimed.specs:
        told = f"holds no row of {submission.kind} {submission.name!r}"
        yield CELLS, "", told
        return
    yield from _plugin(claimed)
    try:
        offer = offered(preset)
    except ConfigError as error:
        yield SUBMISSION, "claims.preset", f"cannot be checked here: {error}"
        return
    yield from _places(claimed, offer)
    yield from _values(claimed.cells, offer)
    yield from _moved(claimed)


def warnings(claimed: Claimed) -> Iterator[Told]:
    """What a reader should know and nobody is refused for."""
    distances = typed(claimed.distances)
    moved = distances[distances["protection"].isin(claimed.specs)].groupby("protection")["linf"]
    for spec, linf in moved.max().items():
        if linf > VISIBLE + 1e-6:
            told = f"{spec} moves values by up to {255 * linf:.0f}/255, more than 16/255"
            yield DISTANCES, "linf", told
    skipped = claimed.cells[claimed.cells["state"] == State.SKIPPED]
    own = skipped[skipped[claimed.submission.kind].isin(claimed.specs)]
    for (task, spec), rows in own.groupby(["task", claimed.submission.kind]):
        everywhere = claimed.cells.loc[claimed.cells["task"] == task, "subject"].nunique()
        if rows["subject"].nunique() < everywhere:
            told = f"{spec} is skipped for {rows['subject'].nunique()} of {everywhere} subjects"
            yield CELLS, f"{task}", told
    known = shipped_presets()
    if claimed.submission.claims.preset in known:
        for task, measured in offered(claimed.submission.claims.preset).tasks.items():
            if measured.subjects is None:
                told = f"subjects cannot be checked without the data of {task}"
                yield CELLS, f"{task}", told


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
    registry = Registry()
    for role, name in preset.models.roles().items():
        try:
            digest = model_digest(registry, name)
        except (ConfigError, PluginError) as error:
            yield PROVENANCE, f"models.{role}.digest", f"cannot be checked here: {error}"
            continue
        if _at(provenance, "models", role, "digest") != digest:
            told = "is another model's; run with the one that this version ships"
            yield PROVENANCE, f"models.{role}.digest", told
    if provenance["pack"] != folder_digest(PACK):
        yield PROVENANCE, "pack", "is another pack's; run with the one that this version ships"
    if _at(provenance, "packages", OURS) != submission.claims.benchmark:
        told = f"is not the version claimed, {submission.claims.benchmark}"
        yield PROVENANCE, f"packages.{OURS}", told
    if provenance["key_schema"] != SCHEMA:
        yield PROVENANCE, "key_schema", f"is not that of this version, {SCHEMA}; run it again"


def _plugin(claimed: Claimed) -> Iterator[Told]:
    """Each row must be of the pinned distribution, with parameters that make sense."""
    submission, provenance = claimed.submission, claimed.provenance
    pinned = submission.distribution
    for spec in claimed.specs:
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
        linf = _at(provenance, "components", name, "parameters", "linf")
        if isinstance(linf, (int, float)) and not 0 <= linf <= 1:
            told = f"linf={linf:g} lies outside [0, 1]; {linf:g} levels are {linf:g}/255"
            yield PROVENANCE, f"components.{name}", told


def _places(claimed: Claimed, offer: Offered) -> Iterator[Told]:
    """The cells must be those of the preset: none besides, none left out."""
    kind, preset = claimed.submission.kind, offer.preset.name
    given: dict[Place, int] = {}
    for at, row in enumerate(claimed.cells[PLACE].itertuples(index=False, name=None), start=2):
        given[row] = at
    offer = _with_subjects(offer, claimed.cells)
    wanted = dict.fromkeys(offer.places(kind, claimed.specs))
    for place, at in given.items():
        if place not in wanted:
            yield CELLS, f"line {at}", f"{_stranger(place, wanted)} is none of the preset {preset}"
            return
    missing = [place for place in wanted if place not in given]
    if missing:
        rows = ",".join(offer.rows(kind, claimed.specs))
        told = f"lacks {len(missing)} of {len(wanted)} cells, the first {' '.join(missing[0])}; "
        yield CELLS, "", told + AGAIN.format(preset=preset, kind=kind, rows=rows)


def _with_subjects(offer: Offered, cells: pd.DataFrame) -> Offered:
    """Where nobody here knows the subjects or metrics of a task, those that are claimed."""
    tasks = dict(offer.tasks)
    for name, task in offer.tasks.items():
        own = cells[cells["task"] == name]
        if task.subjects is None:
            task = task._replace(subjects=tuple(dict.fromkeys(own["subject"])))
        if task.metrics is None:
            task = task._replace(metrics=tuple(dict.fromkeys(own["metric"])))
        tasks[name] = task
    return offer._replace(tasks=tasks)


def _stranger(place: Place, wanted: dict[Place, None]) -> str:
    """The first part of a place that no wanted one has beside the parts before it."""
    left = list(wanted)
    for at, (column, value) in enumerate(zip(PLACE, place, strict=True)):
        left = [other for other in left if other[at] == value]
        if not left:
            return f"{column} {value!r}"
    raise AssertionError("a place that is wanted is no stranger")


def _values(cells: pd.DataFrame, offer: Offered) -> Iterator[Told]:
    """Each value must be one that its metric can have."""
    done = cells["state"] == State.DONE
    for at, row in zip(cells.index[done], cells[done].itertuples(index=False), strict=True):
        task = offer.tasks.get(str(row.task))
        possible = None if task is None else task.ranges.get(str(row.metric))
        if possible is None:
            continue
        if is_control(str(row.protection)):  # of images of its own number
            possible = possible._replace(parts=None)
        if told := possible.excludes(float(str(row.value))):
            yield CELLS, f"line {at + 2}", f"{row.metric} {told}"
            return


def _moved(claimed: Claimed) -> Iterator[Told]:
    """Distances of every image of every row, the same images in each."""
    cells, distances = claimed.cells, claimed.distances
    rows = cells.loc[
        ~cells["protection"].str.startswith(CONTROL), ["task", "subject", "protection"]
    ]
    wanted = dict.fromkeys(rows.itertuples(index=False, name=None))
    images: dict[tuple[str, str, str], set[str]] = {}
    for task, subject, protection, image in distances[
        ["task", "subject", "protection", "image"]
    ].itertuples(index=False, name=None):
        images.setdefault((task, subject, protection), set()).add(image)
    for place in images:
        if place not in wanted:
            yield DISTANCES, " ".join(place), f"is no row of {CELLS}"
            return
    missing = [place for place in wanted if place not in images]
    if missing:
        told = f"lacks {len(missing)} of {len(wanted)} rows, the first {' '.join(missing[0])}"
        yield DISTANCES, "", f"{told}; `submit` writes them"
        return
    moved = typed(distances)
    clean = moved[(moved["protection"] == BASELINES["protection"]) & (moved["linf"] > 0)]
    for row in clean.itertuples(index=False):
        where = f"{row.task} {row.subject} {row.protection}"
        yield DISTANCES, where, "moves the clean images"
        return
    most: dict[tuple[str, str], set[str]] = {}
    for (task, subject, _), named in images.items():
        most.setdefault((task, subject), set()).update(named - {""})
    for (task, subject, protection), named in images.items():
        if named not in ({""}, most[task, subject]):
            left = sorted(most[task, subject] - named)
            where = f"{task} {subject} {protection}"
            yield DISTANCES, where, f"lacks images that other rows have: {', '.join(left[:5])}"
            return


def _at(document: Any, *path: str) -> Any:
    """What stands in a document that may have any shape."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
