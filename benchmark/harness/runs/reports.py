"""Forecasts of a run, and its boards and pictures written again, without running it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, unknown
from impress_bench.benchmark.harness.config.devices import device_problem
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.execution.forecast import Forecast, forecast
from impress_bench.benchmark.harness.execution.timings import Timings
from impress_bench.benchmark.harness.execution.workers import default_workers
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.planning.planner import plan_run
from impress_bench.benchmark.harness.runs.board_meta import board_meta
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.harness.runs.pages import source_of
from impress_bench.benchmark.harness.runs.pictures import write_pictures
from impress_bench.benchmark.harness.runs.reconstructions import write_reconstructions
from impress_bench.benchmark.harness.runs.strips import StoredImages, write_figures
from impress_bench.benchmark.harness.storage.atomic_files import make_folder
from impress_bench.benchmark.harness.storage.store import Store, default_root
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.html import write_site
from impress_bench.leaderboard.html.texts import slug
from impress_bench.leaderboard.summary import summary
from impress_bench.leaderboard.write import write_plots

#: In which pictures can be drawn.
FORMS = ("png", "svg")


def forecast_run(
    preset: Preset,
    store: str | Path | None = None,
    patience: float = 5.0,
    notify: Callable[[str], None] = lambda message: None,
    workers: int | None = None,
) -> Forecast:
    """What `run` would do with the same preset and store, and how long it would take.

    One stage per kind of work of unknown duration is run for its first `patience` seconds, but none
    on a machine without the preset's device.
    """
    root = make_folder(Path(store) if store is not None else default_root(), "--store")
    plan = plan_run(preset, root)
    for line in failing(plan):
        notify(line)
    count = workers or default_workers(preset)
    if patience > 0 and (problem := device_problem(preset.device)):
        notify(f"nothing is timed: {problem}")
        patience = 0.0
    return forecast(plan, Store(root, notify), Timings(root), patience, notify, count)


def failing(plan: Plan) -> list[str]:
    """A line per reason for which cells of a plan cannot be run, which names whose they are."""
    reasons = Counter(
        str(error)
        for cell in plan.cells
        for error in (cell.failure, *cell.measured.values())
        if isinstance(error, PluginError)
    )
    return [
        f"{count} of {len(plan.cells)} cells will fail: {reason}"
        for reason, count in reasons.items()
    ]


def report(folder: str | Path) -> list[Path]:
    """Write the boards of a run again, from the tables in its folder. Raises ConfigError."""
    part = read_part(Path(folder))
    return write_boards(*part.frames[:3], part.meta, part.folder, notes=part.frames.notes)


def summary_of(folder: str | Path) -> list[str]:
    """A few lines that say what a run shows, from the tables in its folder. Raises ConfigError."""
    part = read_part(Path(folder))
    return summary(*part.frames[:3], part.frames.notes, part.meta)


def write_page(folder: str | Path, html: str | Path) -> list[Path]:
    """Write the page of a run into the folder `html`, from what lies in the run's folder. Returns
    the files. Raises ConfigError."""
    part, target = read_part(Path(folder)), make_folder(Path(html), "--html")
    return write_site([source_of(part, slug(part.meta.preset) or "run")], target)


def redraw(
    folder: str | Path,
    store: str | Path | None = None,
    out: str | Path | None = None,
    selection: Mapping[str, Any] | None = None,
    flags: Mapping[str, str] | None = None,
    notify: Callable[[str], None] = lambda message: None,
    forms: Sequence[str] = ("png",),
) -> list[Path]:
    """Draw the pictures of a run again, into `out` (default: the run's folder): strips,
    reconstructions and the single pictures of its page from its store, plots from its tables.

    `selection` replaces values of its preset, to show fewer rows or other subjects, and leaves out
    the plots, which are of all; `flags` maps them to the flags that gave them; `notify` gets a line
    per damaged result. `forms`: of "png" and "svg", those to write, but for single pictures, which
    are WebP. Returns the files, and of the single pictures their index. Raises ConfigError for
    another form, and if the store has none of the images.
    """
    for form in forms:
        if form not in FORMS:
            raise ConfigError(f"--format: {unknown('format', form, FORMS)}")
    folder = Path(folder)
    try:
        document = json.loads((folder / "provenance.json").read_bytes())
        if "parts" in document:
            raise ConfigError(f"{folder} is merged from several runs; name one of those")
        preset = Preset.model_validate(document["preset"])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"{folder} holds no run ({error}); name the folder given to run as --out"
        ) from None
    preset = preset.override(flags or {}, **selection) if selection else preset
    root = make_folder(Path(store) if store is not None else default_root(), "--store")
    plan = plan_run(preset, root)
    target = make_folder(Path(out) if out is not None else folder, "--out")
    images, meta = StoredImages(Store(root), notify), board_meta(plan)
    written = write_figures(plan, images, meta, target, forms)
    if not written:
        raise ConfigError(
            f"--store: {root} holds no result of {folder}; name the store that it was run with,"
            " and note that results belong to one version of the code"
        )
    written += write_reconstructions(plan, images, meta, target, notify, forms)
    if not selection and (folder / "cells.parquet").is_file():
        part = read_part(folder)
        written += write_plots(*part.frames[:3], part.meta, target, forms)
    return [*written, *write_pictures(plan, images, meta, target)]
