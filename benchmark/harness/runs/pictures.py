"""Single pictures of a run, for pages: of one subject per task, row by row."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.runs.strips import StoredImages, of_first_subjects
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.leaderboard import Layout
from impress_bench.leaderboard.findings.taken import headline_purifier
from impress_bench.leaderboard.html.pictures import (
    FOLDER,
    INDEX,
    Place,
    Row,
    read_album,
    rows_of,
    write_album,
)
from impress_bench.leaderboard.layout import base
from impress_bench.leaderboard.meta import BoardMeta


def write_pictures(plan: Plan, results: StoredImages, meta: BoardMeta, folder: Path) -> list[Path]:
    """Write the first image that was given to the exploit and the first that it made, for the first
    subject of each task and every row: unpurified, after the headline purifier and after the
    reference purifier. They are lossless WebP, and of the first seed.

    What the store has not is left out. Returns the album, or nothing if the store has no picture.
    """
    layout, seed = Layout(meta), min(plan.preset.seeds)
    rows: dict[Place, dict[str, tuple[bytes | None, bytes | None]]] = {}
    for cells in of_first_subjects(plan).values():
        wanted = _wanted({cell.place.purifier for cell in cells}, layout)
        for cell in cells:
            place = cell.place
            if place.seed == seed and place.purifier in wanted:
                images = (_first(results, cell.purified), _first(results, cell.exploited))
                _add(rows, Place(*place[:3]), place.purifier, images)
        # The edit of the clean photo, which others are compared with, is no cell.
        clean = next(
            (one.place for one in cells if layout.kind(one.place.protection) == "clean"), None
        )
        scored = next(
            (one for one in cells if one.score is not None and one.place.seed == seed), None
        )
        none = layout.roles.no_purifier
        if clean is not None and scored is not None and none not in rows.get(Place(*clean[:3]), {}):
            edit = scored.score.inputs.get("reference") if scored.score is not None else None
            images = (_first(results, scored.original), _first(results, edit))
            _add(rows, Place(*clean[:3]), none, images)
    return _written(rows, layout, folder, ())


def merge_pictures(folders: Sequence[Path], meta: BoardMeta, target: Path) -> list[Path]:
    """Write the albums of several folders of results as one, into `target`, which may be one of
    them. Of two pictures of one condition the first counts."""
    rows: dict[Place, dict[str, tuple[bytes | None, bytes | None]]] = {}
    left_out: list[Place] = []
    for folder in folders:
        left_out += read_album(folder).left_out
        for place, row in rows_of(folder).items():
            rows[place] = row | rows.get(place, {})
    return _written(rows, Layout(meta), target, left_out)


def _add(
    rows: dict[Place, dict[str, tuple[bytes | None, bytes | None]]],
    place: Place,
    purifier: str,
    images: tuple[bytes | None, bytes | None],
) -> None:
    if any(image is not None for image in images):
        rows.setdefault(place, {})[purifier] = images


def _written(
    rows: Mapping[Place, Row], layout: Layout, folder: Path, left_out: Iterable[Place]
) -> list[Path]:
    if not rows:
        return []
    write_album(rows, layout, folder, left_out)
    return [folder / FOLDER / INDEX]


def _wanted(purifiers: set[str], layout: Layout) -> set[str]:
    """Those after which rows are shown; controls have none."""
    roles = layout.roles
    plain = {one for one in purifiers if base(one) == roles.no_purifier}
    reference = next(
        (one for one in layout.purifiers(purifiers) if base(one) == roles.purifier), ""
    )
    return {"", *plain, headline_purifier(layout.purifiers(purifiers), layout), reference}


def _first(results: StoredImages, stage: Stage | None) -> bytes | None:
    """The first image of a stage's result as WebP; None if the store has none."""
    images = results.of(stage)
    if not images:
        return None
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(images[0])).save(buffer, "WEBP", lossless=True, method=4)
    return buffer.getvalue()
