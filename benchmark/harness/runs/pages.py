"""What a page shows of a folder of results, besides its tables: facts, costs, and single pictures
from the store."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.planning.plan import Cell, Plan
from impress_bench.benchmark.harness.planning.planner import plan_run
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.folder import Part
from impress_bench.benchmark.harness.runs.strips import StoredImages
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.leaderboard.html import Source
from impress_bench.leaderboard.html.pictures import Picture

#: How much single pictures may take of a page's folder, in bytes.
BUDGET = 8 * 2**20


def source_of(part: Part, name: str, pictures: Sequence[Picture] = ()) -> Source:
    """A folder of results as a page is written from it."""
    frames = part.frames
    return Source(
        name, frames.cells, frames.protections, frames.inspections, frames.notes, part.meta,
        run_lines(part.origins), part.origins, part.folder, stored_costs(part.folder),
        pictures,
    )  # fmt: skip


def run_lines(origins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Preset, version, commits, dates, GPU and model of runs, as lines of Markdown; torch's
    versions if they differ."""
    first = origins[0]
    days = sorted({origin["started"][:10] for origin in origins})
    gpus = dict.fromkeys(filter(None, (one.get("hardware", {}).get("gpu") for one in origins)))
    partly = " for some of the subjects" * any(one["device"] == "cpu" for one in origins)
    torches = sorted({one["packages"]["torch"] for one in origins if "torch" in one["packages"]})
    commits = dict.fromkeys(
        one["git"]["commit"][:12] + " with uncommitted changes" * one["git"]["dirty"]
        for one in origins
        if one.get("git") is not None
    )
    model = first["models"]["target"]
    parts = [
        f"Preset `{first['preset']['name']}`",
        f"impress-bench {first['packages'][OURS]}",
        *[f"commit {commit}" for commit in commits],
        f"begun on {' and '.join(dict.fromkeys([days[0], days[-1]]))}",
        *[f"GPU {gpu}{partly}" for gpu in gpus],
        *[f"torch {' and '.join(torches)}"] * (len(torches) > 1),
    ]
    return [", ".join(parts), f"Model `{model['name']}`, digest {model['digest'][:12]}"]


def stored_costs(folder: Path) -> dict[str, Any]:
    """The costs by component in a folder of results; none without costs.json."""
    path = folder / "costs.json"
    return dict(json.loads(path.read_bytes())["components"]) if path.is_file() else {}


def write_pictures(
    part: Part, store: Path, folder: Path, name: str, notify: Callable[[str], None]
) -> list[Picture]:
    """Write the first image that each condition of a run gave to the exploit and the first that
    the exploit made of it, from a store, for the page `name` in `folder`.

    Subjects are taken in turn as long as the pictures stay below `BUDGET`; `notify` gets what was
    left out and what is damaged. Raises ConfigError for a preset that cannot be planned here.
    """
    plan = plan_run(Preset.model_validate(part.origins[0]["preset"]), store)
    results = StoredImages(Store(store), notify)
    written: list[Picture] = []
    spent, left = 0, 0
    for (task, subject), cells in _by_subject(plan).items():
        found = [(cell, _first(results, cell.purified), _first(results, cell.exploited))
                 for cell in cells]  # fmt: skip
        size = sum(len(image or b"") for _, *images in found for image in images)
        if spent + size > BUDGET:
            left += 1
            continue
        spent += size
        for cell, *images in found:
            paths = []
            for kind, image in zip(("given", "made"), images, strict=True):
                path = f"{name}/pictures/{len(written):05d}-{kind}.png"
                paths.append(path if image is not None else "")
                if image is not None:
                    write_atomically(folder / path, image)
            if any(paths):
                place = cell.place
                written.append(Picture(task, subject, place.protection, place.purifier, *paths))
    if left:
        notify(f"{left} subjects have no single pictures: all take at most {BUDGET >> 20} MiB")
    if not written:
        notify(f"no single pictures: {store} holds no result of {part.folder}")
    return written


def _by_subject(plan: Plan) -> dict[tuple[str, str], list[Cell]]:
    """The cells of the first seed by task and subject."""
    first = min(plan.preset.seeds)
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in plan.cells:
        if cell.place.seed == first:
            cells.setdefault((cell.place.task, cell.place.subject), []).append(cell)
    return cells


def _first(results: StoredImages, stage: Stage | None) -> bytes | None:
    """The first image of a stage's result as PNG; None if the store has none."""
    images = results.of(stage)
    if not images:
        return None
    buffer = io.BytesIO()
    Image.fromarray(images[0]).save(buffer, "PNG")
    return buffer.getvalue()
