"""One picture strip a subject: what was learned from, and what the model painted after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from impress_bench.benchmark.harness.plan import Cell, Plan
from impress_bench.benchmark.harness.stage import Stage
from impress_bench.benchmark.harness.store import Store
from impress_bench.leaderboard import Layout, strip

if TYPE_CHECKING:
    from impress_bench.leaderboard.strips import Picture

LEARNED, PAINTED = 4, 6


def strip_captions(plan: Plan) -> dict[str, str]:
    """File name and caption of each subject's strip, for the overview page."""
    return {
        _file_name(task.name, subject): f"{subject}: learned from, and painted after learning"
        for task in plan.tasks
        for subject in dict.fromkeys(
            cell.place.subject for cell in plan.cells if cell.place.task == task.name
        )
    }


def write_figures(plan: Plan, store: Store, meta: Mapping[str, object], folder: Path) -> list[Path]:
    """Figures 1 and 4 (left) of the paper for every subject whose cells are stored.

    A row is a condition; images that are missing stay empty tiles.
    """
    layout, written = Layout(meta), []
    first_seed = min(plan.preset.seeds)
    for task in plan.tasks:
        cells: dict[str, list[Cell]] = {}
        for cell in plan.cells:
            if cell.place.task == task.name and cell.place.seed == first_seed:
                cells.setdefault(cell.place.subject, []).append(cell)
        for subject, conditions in cells.items():
            rows = []
            for cell in conditions:
                learned = _pictures(store, cell.purified, LEARNED)
                made = _pictures(store, cell.exploited, PAINTED)
                if any(picture is not None for picture in learned + made):
                    place = cell.place
                    label = layout.condition(place.protection, place.purifier)
                    rows.append((label, learned + made))
            if rows:
                path = folder / "figures" / _file_name(task.name, subject)
                path.parent.mkdir(parents=True, exist_ok=True)
                groups = [("Learned from", LEARNED), ("Painted after learning", PAINTED)]
                written.append(strip(path, rows, groups=groups, title=subject))
    return written


def _pictures(store: Store, stage: Stage | None, count: int) -> list[Picture | None]:
    result = store.get(stage.key) if stage is not None and store.holds(stage.key) else None
    images = [] if result is None or result.images is None else list(result.images.images[:count])
    return [*images, *[None] * (count - len(images))]


def _file_name(task: str, subject: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{task}-{subject}".lower()) + ".png"
