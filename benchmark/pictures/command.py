"""The verbs `protect` and `purify`: everything decided before the first image, then one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.plugins.models import load_further, load_model
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.pictures.jobs import Job, Outcome, resolve
from impress_bench.benchmark.pictures.sources import find_files


def run_job(
    kind: str,
    spec: str,
    source: Path,
    target: Path,
    *,
    model: str,
    preset: str,
    fit: str,
    masks: Path | None,
    seed: int,
    max_megapixels: float,
    force: bool,
    quiet: bool,
) -> Iterator[Outcome]:
    """Outcomes of a "protection" or "purifier" on the images in `source`, written to `target`.

    Raises ConfigError for whatever is wrong before the first image.
    """
    if masks is not None and kind == "purifier":
        raise ConfigError("--masks: a purifier sees no masks; leave it out")
    files = find_files(source, target, masks)
    settings = load_preset(preset).settings.of("")
    registry = Registry()
    try:
        component, required = resolve(registry, kind, spec, settings)
        component.create()
        surrogate = load_model(model, registry=registry)
        parts = (component, *required.values())
        named = dict.fromkeys(name for part in parts for name in part.further_models)
        further = load_further(named, surrogate, registry)
    except PluginError as error:
        raise ConfigError(str(error)) from None
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {target}: {error.strerror}") from None
    shown = sys.stderr.isatty() and not quiet
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    every = bars.add_task("images", total=len(files.images))
    one = bars.add_task("steps", total=None)
    job = Job(
        component,
        required,
        surrogate,
        fit,
        seed,
        masks,
        max_megapixels,
        force,
        lambda done, total: bars.update(one, completed=done, total=total),
        further,
    )
    with bars if shown else nullcontext():
        for outcome in job.run(files):
            if outcome.source in files.images:
                bars.advance(every)
            yield outcome
