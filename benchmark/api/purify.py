"""`purify`: a purifier on images from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, overload

from impress_bench.benchmark.api.build import Chosen, choose
from impress_bench.benchmark.api.conditions import (
    SUBJECT,
    Conditions,
    Progress,
    check_notes,
    distances,
    loaded,
    noted,
)
from impress_bench.benchmark.api.inputs import Images
from impress_bench.benchmark.api.results import Distances, ImageResult, Sweep, taken
from impress_bench.benchmark.contract import PurifierHooks, hooks
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.pixels import to_pixels, to_tensor

if TYPE_CHECKING:
    from impress_bench.attacks import Purifier
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@overload
def purify(
    images: Sweep,
    spec: str | Purifier,
    *,
    model: str | LatentDiffusion = ...,
    seed: int = ...,
    preset: Preset | str | Path | None = ...,
    progress: Progress | None = ...,
) -> Sweep: ...


@overload
def purify(
    images: Images | ImageResult,
    spec: str | Purifier,
    *,
    model: str | LatentDiffusion = ...,
    seed: int = ...,
    preset: Preset | str | Path | None = ...,
    progress: Progress | None = ...,
) -> ImageResult: ...


def purify(
    images: Images | ImageResult | Sweep,
    spec: str | Purifier,
    *,
    model: str | LatentDiffusion = "atelier",
    seed: int = 0,
    preset: Preset | str | Path | None = None,
    progress: Progress | None = None,
) -> ImageResult | Sweep:
    """Images purified, and how far each was moved from what was handed in.

    Parameters:
        images: As for `protect`, or what `protect` or `purify` returned.
        spec: A purifier as `build` takes it, a chain such as "jpeg>impress" too, or an object.
        model, seed, preset, progress: As for `protect`.

    Returns a `Sweep` for a `Sweep`, else an `ImageResult`. Raises ConfigError for what the caller
    has to correct, PluginError for a purifier that fails or does not apply.
    """
    chosen = choose("purifier", spec, preset)
    conditions = Conditions(loaded(model), seed, progress)
    if isinstance(images, Sweep):
        return Sweep(
            {budget: _purified(result, chosen, conditions) for budget, result in images.items()}
        )
    return _purified(images, chosen, conditions)


def _purified(images: Images | ImageResult, chosen: Chosen, conditions: Conditions) -> ImageResult:
    given, originals = taken(images)
    known = hooks(chosen.plugin, PurifierHooks)
    if type(chosen.plugin).__module__.startswith("impress_bench."):  # no other gets a name
        known.receive_names(SUBJECT, given.names)
    notes: dict[str, Distances] = {}
    context = conditions.context("purify", note=noted(notes))
    skipped = known.skip(conditions.model)
    after = conditions.call("purifier", chosen, given, context, skipped).images
    check_notes(f"purifier {chosen.label}", notes, given)
    moved = distances(after.cpu(), to_tensor(given.images))
    return ImageResult(
        chosen.label, to_pixels(after), given.names, **moved, originals=originals, notes=notes
    )
