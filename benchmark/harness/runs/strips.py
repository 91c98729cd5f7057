"""Picture strips: images before and after the exploit, one row per condition.

Between them stands, enlarged, how the first of the images differ from the clean ones: what is to be
imperceptible can be seen there, and what a purifier leaves of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.harness.planning.plan import Cell, Plan, PlannedTask
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.leaderboard import Layout, strip
from impress_bench.leaderboard.layout import base
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.plots.strips import amplified

if TYPE_CHECKING:
    from impress_bench.leaderboard.plots.strips import Picture

Condition = tuple[str, str]
#: Images of a strip whose change is shown, and how many times over: 16/255 reaches black or white.
CHANGES, FACTOR = 2, 8
CHANGES_TITLE = f"Change from the clean image, × {FACTOR}"

#: Conditions in one strip. Of more, those without a purifier and after the reference purifier are
#: drawn: every protection after every purifier is a picture of a hundred megabytes.
MOST = 120
NARROWED = " (without a purifier and after the reference one)"


def strip_captions(plan: Plan) -> dict[str, str]:
    """File name and caption of every strip, for the overview page."""
    captions, cells = {}, _by_subject(plan)
    for task, subjects in _pages(plan):
        given, made = task.task.strip.given_title, task.task.strip.made_title
        conditions = {one for name in subjects for one in cells[task.name, name]}
        narrowed = NARROWED * (len(conditions) > MOST)
        caption = f"{title_of(task, subjects)}: {given.lower()}, {made.lower()}{narrowed}"
        captions[file_name(task.name, subjects)] = caption
    return captions


def write_figures(
    plan: Plan,
    results: StoredImages,
    meta: BoardMeta,
    folder: Path,
    forms: Sequence[str] = ("png",),
) -> list[Path]:
    """Write the strips of all subjects (Figures 1, 4, 5 and 6 of the paper) into `folder`/figures.

    Images that are not stored stay empty tiles. Of more than `MOST` conditions, those without a
    purifier and after the reference purifier are drawn. `forms`: of "png" and "svg", those to
    write. Returns the files.
    """
    layout, written = Layout(meta), []
    cells = _by_subject(plan)
    for task, subjects in _pages(plan):
        shape = task.task.strip
        here = [cells[task.name, subject] for subject in subjects]
        rows = []
        conditions = list(dict.fromkeys(name for subject in here for name in subject))
        for condition in _shown(conditions, layout):
            clean: list[Picture | None] = []
            given: list[Picture | None] = []
            made: list[Picture | None] = []
            for subject in here:
                planned = subject.get(condition)
                clean += _pictures(results, planned.original if planned else None, shape.given)
                given += _pictures(results, planned.purified if planned else None, shape.given)
                made += _pictures(results, planned.exploited if planned else None, shape.made)
            if any(tile is not None for tile in given + made):
                changes = _changes(clean, given)
                rows.append((layout.condition(*condition), given + changes + made))
        if rows:
            name = folder / "figures" / file_name(task.name, subjects)
            shown = len(subjects) * shape.given
            groups = [
                (shape.given_title, shown),
                (CHANGES_TITLE, min(CHANGES, shown)),
                (shape.made_title, len(subjects) * shape.made),
            ]
            title = title_of(task, subjects)
            written += [
                strip(name.with_suffix(f".{form}"), rows, groups=groups, title=title)
                for form in forms
            ]
    return written


def _by_subject(plan: Plan) -> dict[tuple[str, str], dict[Condition, Cell]]:
    """The cells of the first seed, by task and subject, then by protection and purifier."""
    first_seed = min(plan.preset.seeds)
    cells: dict[tuple[str, str], dict[Condition, Cell]] = {}
    for cell in plan.cells:
        if cell.place.seed == first_seed:
            place = cell.place
            cells.setdefault((place.task, place.subject), {})[place.parts] = cell
    return cells


def _shown(conditions: Sequence[Condition], layout: Layout) -> list[Condition]:
    """Those that a strip has rows for."""
    if len(conditions) <= MOST:
        return list(conditions)
    kept = ("", layout.roles.no_purifier, layout.roles.purifier)
    return [one for one in conditions if base(one[1]) in kept]


def title_of(task: PlannedTask, subjects: Sequence[str]) -> str:
    """The subjects, and the target of a task that has one of its own."""
    target = task.component.surrogate
    return ", ".join(subjects) + (f"; by {target}" if target else "")


def _pages(plan: Plan) -> Iterator[tuple[PlannedTask, tuple[str, ...]]]:
    """Tasks, and the subjects that share a strip."""
    for task in plan.tasks:
        planned = dict.fromkeys(
            cell.place.subject for cell in plan.cells if cell.place.task == task.name
        )
        count = task.task.strip.subjects
        for start in range(0, len(planned), count):
            yield task, tuple(planned)[start : start + count]


def of_first_subjects(plan: Plan) -> dict[str, list[Cell]]:
    """By task, the cells of its first subject."""
    cells: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        here = cells.setdefault(cell.place.task, [])
        if not here or cell.place.subject == here[0].place.subject:
            here.append(cell)
    return cells


class StoredImages:
    """The images of stages in a store; `notify` gets one line per result that is damaged."""

    def __init__(self, store: Store, notify: Callable[[str], None]) -> None:
        self._store, self._notify = store, notify
        self._told: set[str] = set()

    def of(self, stage: Stage | None) -> list[Picture]:
        """Those of a stage; none if the store has none that can be read."""
        if stage is None or not self._store.holds(stage.key):
            return []
        result = self._store.get(stage.key)
        if result is None and stage.key not in self._told:
            self._told.add(stage.key)
            self._notify(
                f"damaged: the stored result of {stage.kind} {stage.place}, in"
                f" {self._store.path(stage.key)}: its pictures are missing here; `run` with this"
                " store makes it again"
            )
        return [] if result is None or result.images is None else list(result.images.images)


def _pictures(results: StoredImages, stage: Stage | None, count: int) -> list[Picture | None]:
    images = results.of(stage)[:count]
    return [*images, *[None] * (count - len(images))]


def _changes(
    clean: Sequence[Picture | None], given: Sequence[Picture | None]
) -> list[Picture | None]:
    """How the first images differ from the clean ones; none where nothing changed."""
    return [
        None if one is None or other is None or (one == other).all()
        else amplified(other, one, FACTOR)
        for one, other in zip(clean[:CHANGES], given[:CHANGES], strict=True)
    ]  # fmt: skip


def file_name(task: str, subjects: Sequence[str]) -> str:
    """The name of a PNG of subjects of a task."""
    name = f"{task}-{'-to-'.join(dict.fromkeys((subjects[0], subjects[-1])))}"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()) + ".png"
