"""Images beside what the model reconstructs of them: Figure 2 of Cao et al. 2023.

Reconstructions are not stored with a run's results. They are made when the picture is drawn, as
those are that the board `inconsistency` measures: D(E(x)) with the mean of the latent distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impress_bench.benchmark.harness.config.devices import device_problem
from impress_bench.benchmark.harness.planning.plan import Plan, PlannedTask
from impress_bench.benchmark.harness.runs.strips import (
    StoredImages,
    file_name,
    of_first_subjects,
    title_of,
)
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.leaderboard import Layout, strip
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.plots.strips import amplified

if TYPE_CHECKING:
    from impress_bench.leaderboard.plots.strips import Picture

#: Images of a row, and how many times over their differences are shown.
IMAGES, FACTOR = 2, 2


def reconstruction_captions(plan: Plan) -> dict[str, str]:
    """File name and caption of every picture, for the overview page."""
    return {
        _file_name(task, subject): f"{title_of(task, [subject])}: images, reconstructions by the"
        f" model's autoencoder, and their differences, × {FACTOR}"
        for task, subject, _ in _first_subjects(plan)
    }


def write_reconstructions(
    plan: Plan,
    results: StoredImages,
    meta: BoardMeta,
    folder: Path,
    notify: Callable[[str], None],
    forms: Sequence[str] = ("png",),
) -> list[Path]:
    """Write a picture for the first subject of every task into `folder`/figures: a row for each
    protection whose images are stored, without a purifier.

    It is computed on the plan's device, or on the CPU of a machine without it. `notify` gets a
    line per picture that cannot be drawn. `forms`: of "png" and "svg", those
    to write. Returns the files.
    """
    layout, env = Layout(meta), _environment(plan)
    written: list[Path] = []
    for task, subject, protected in _first_subjects(plan):
        stored = {name: results.of(stage)[:IMAGES] for name, stage in protected.items()}
        given = {name: images for name, images in stored.items() if images}
        if not given:
            continue
        name = _file_name(task, subject)
        try:
            with env.stage(plan.preset.threads, "reconstructions", task.name, limited=False):
                rows = _rows(given, task, env, layout)
        except Exception as error:  # a picture is not worth a run
            notify(f"{name} is not drawn: {type(error).__name__}: {error}")
            continue
        shown = max(map(len, given.values()))
        titles = ("Image", "Reconstruction by the model", f"Difference, × {FACTOR}")
        groups = [(title, shown) for title in titles]
        path, title = folder / "figures" / name, title_of(task, [subject])
        written += [
            strip(path.with_suffix(f".{form}"), rows, groups=groups, title=title) for form in forms
        ]
    return written


def _first_subjects(plan: Plan) -> Iterator[tuple[PlannedTask, str, Mapping[str, Stage]]]:
    """The first subject of each task, and the stages that protect its images, by protection."""
    first = of_first_subjects(plan)
    for task in plan.tasks:
        cells = first.get(task.name, [])
        protected: dict[str, Stage] = {}
        for cell in cells:
            if cell.protected is not None:
                protected.setdefault(cell.place.protection, cell.protected)
        if protected:
            yield task, cells[0].place.subject, protected


def _file_name(task: PlannedTask, subject: str) -> str:
    return f"reconstructions-{file_name(task.name, [subject])}"


def _environment(plan: Plan) -> Environment:
    preset = plan.preset
    device = "cpu" if device_problem(preset.device) else preset.device
    numerics = preset.numerics.chosen()
    return Environment(preset.models.roles(), device=device, numerics=numerics)


def _rows(
    given: Mapping[str, list[Picture]], task: PlannedTask, env: Environment, layout: Layout
) -> list[tuple[str, list[Picture | None]]]:
    """A row of a strip for each protection: images, reconstructions, differences."""
    import torch

    from impress_bench.benchmark.pixels import to_pixels, to_tensor

    model = env.model("target", task.component.surrogate)
    shown = max(map(len, given.values()))
    rows: list[tuple[str, list[Picture | None]]] = []
    for name in layout.protections(given):
        images = given[name]
        with torch.no_grad():
            pixels = to_tensor(np.stack(images)).to(env.device)
            seen = list(to_pixels(model.reconstruct(pixels).clamp(0, 1)))
        changes = [amplified(one, other, FACTOR) for one, other in zip(seen, images, strict=True)]
        lacking: list[Picture | None] = [None] * (shown - len(images))
        rows.append((layout.title(name), [*images, *lacking, *seen, *lacking, *changes, *lacking]))
    return rows
