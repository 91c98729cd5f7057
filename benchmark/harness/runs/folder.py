"""Reads a run folder, and compares the provenance of two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.board_meta import read_meta
from impress_bench.benchmark.harness.runs.costs import with_passes
from impress_bench.benchmark.harness.runs.tables import Frames, load_frames
from impress_bench.benchmark.harness.storage.keys import LIBRARIES
from impress_bench.leaderboard.meta import BoardMeta

Origin = dict[str, Any]

#: Fields of a preset in which parts of one run may differ: their share of the work, and limits.
NARROWED = (
    "tasks", "protections", "purifiers", "metrics", "seeds", "subjects", "matrix", "everything",
    "isolate", "plugin_python", "time_limit_s", "memory_limit_gb", "resources", "needs",
)  # fmt: skip
#: Fields on which no cell depends: what a preset is called, what its boards show, whether images
#: are inspected besides. Its settings reach cells by the components that have them.
REMARKS = (
    "name", "title", "description", "paper", "boards", "display", "inspections", "settings",
)  # fmt: skip
SHARED = ("key_schema", "device", "dtype", "models")


@dataclass(frozen=True)
class Part:
    """A run's folder: the provenance of the runs in it, the data of its boards, and its tables."""

    folder: Path
    origins: list[Origin]
    meta: BoardMeta
    frames: Frames


def read_part(folder: Path) -> Part:
    """Read the folder of a run, or of merged runs. Raises ConfigError."""
    try:
        document = json.loads((folder / "provenance.json").read_bytes())
        meta = read_meta(document)
        del document["boards"]
        frames = load_frames(folder)
        meta = with_passes(meta, folder)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{folder} holds no results of a run ({error}); name the folder given to run as --out"
        ) from None
    return Part(folder, document.get("parts", [document]), meta, frames)


def difference(
    one: Origin,
    other: Origin,
    libraries: bool = True,
    device: bool = True,
    remarks: bool = True,
) -> str:
    """The first difference between two runs that may alter results, "" if there is none: models,
    preset fields other than `NARROWED`, code and parameters of the components that both ran, the
    versions of libraries if `libraries`, and whether on a GPU if `device`. Without `remarks`,
    presets may differ in `REMARKS` too: their cells can be compared, though they are no parts of
    one run."""
    ignored = (*(() if device else ("device",)), *(() if remarks else REMARKS))
    return next(_differences(one, other, libraries, ignored), "")


def shared_places(one: pd.DataFrame, other: pd.DataFrame) -> set[tuple[str, str, int]]:
    """Task, subject and seed of what both tables of cells have results of."""
    places = [
        set(known[["task", "subject", "seed"]].itertuples(index=False, name=None))
        for known in (frame[frame["state"] != State.MISSING] for frame in (one, other))
    ]
    return places[0] & places[1]


def _differences(
    one: Origin, other: Origin, libraries: bool, ignored: Sequence[str]
) -> Iterator[str]:
    for name in SHARED:
        if name not in ignored:
            yield from _unlike(name, one[name], other[name])
    if "pack" in one and "pack" in other:  # older parts do not say
        yield from _unlike("pack", one["pack"], other["pack"])
    # A field that an older run's preset lacks has its default.
    these, those = (
        Preset.model_validate(origin["preset"]).model_dump(mode="json") for origin in (one, other)
    )
    for name in these:
        if name not in (*NARROWED, *ignored):
            yield from _unlike(f"preset.{name}", these[name], those[name])
    first, second = _in_tasks(one), _in_tasks(other)
    for name in filter(second.__contains__, first):
        these, those = first[name], second[name]
        if not libraries:
            these, those = _without_libraries(these), _without_libraries(those)
        yield from _unlike(name, these, those)
    for name in (OURS, *(LIBRARIES if libraries else ())):
        versions = (_version(origin["packages"], name) for origin in (one, other))
        yield from _unlike(name, *versions)


def _in_tasks(origin: Origin) -> dict[str, Any]:
    """Each component of a run, and each as each of its tasks used it: where a preset sets nothing
    within a task, provenance names the component once, without the task."""
    found: dict[str, Any] = origin["components"]
    tasks = [text.partition("[")[0] for text in origin["preset"]["tasks"]]
    inside = {f"{name} in {task}": part for name, part in found.items() for task in tasks}
    return found | {name: part for name, part in inside.items() if name not in found}


def _without_libraries(component: Any) -> Any:
    """A component's identity but for the versions of libraries, its parts' too."""
    if isinstance(component, list):
        return [_without_libraries(part) for part in component]
    if not isinstance(component, dict):
        return component
    return {k: _without_libraries(part) for k, part in component.items() if k != "libraries"}


def _unlike(what: str, one: Any, other: Any) -> Iterator[str]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            yield from _unlike(f"{what}.{name}", one.get(name), other.get(name))
    else:
        yield f"{what}: {one} and {other}"


def _version(packages: dict[str, str], name: str) -> str | None:
    """The version of a distribution, whose name may differ in case."""
    return next((version for given, version in packages.items() if given.lower() == name), None)
