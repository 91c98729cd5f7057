"""`protect`: a protection on images from Python, under one budget or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

import torch

from impress_bench.benchmark.api.build import Chosen, choose, with_budgets
from impress_bench.benchmark.api.conditions import (
    SUBJECT,
    Conditions,
    Progress,
    check_notes,
    loaded,
    noted,
)
from impress_bench.benchmark.api.inputs import Images, read_images
from impress_bench.benchmark.api.masks import read_masks
from impress_bench.benchmark.api.results import Distances, ImageResult, Sweep, check_count
from impress_bench.benchmark.contract import (
    NORMS,
    ImageSet,
    Protected,
    ProtectionHooks,
    hooks,
)
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.models import load_further
from impress_bench.benchmark.pixels import to_pixels

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
    from impress_bench.protections import Protection


@overload
def protect(
    images: Images,
    spec: str | Protection,
    *,
    model: str | LatentDiffusion = ...,
    seed: int = ...,
    budgets: None = None,
    titles: Sequence[str] = ...,
    masks: Images | None = ...,
    preset: Preset | str | Path | None = ...,
    progress: Progress | None = ...,
) -> ImageResult: ...


@overload
def protect(
    images: Images,
    spec: str | Protection,
    *,
    model: str | LatentDiffusion = ...,
    seed: int = ...,
    budgets: Sequence[str | float],
    titles: Sequence[str] = ...,
    masks: Images | None = ...,
    preset: Preset | str | Path | None = ...,
    progress: Progress | None = ...,
) -> Sweep: ...


def protect(
    images: Images,
    spec: str | Protection,
    *,
    model: str | LatentDiffusion = "atelier",
    seed: int = 0,
    budgets: Sequence[str | float] | None = None,
    titles: Sequence[str] = (),
    masks: Images | None = None,
    preset: Preset | str | Path | None = None,
    progress: Progress | None = None,
) -> ImageResult | Sweep:
    """Images protected, and how far each was moved.

    Parameters:
        images: Arrays, tensors, PIL images, paths or a folder, all of one size: see
            `impress_bench.benchmark.api.inputs.read_images`. The model works at their own size.
        spec: A protection as `build` takes it, or a protection object.
        model: The surrogate: a registered name, a folder in diffusers layout, a hub id, or a loaded
            model, on whose device the images are protected. The latest model named is kept.
        seed: Of all randomness; each budget has the same.
        budgets: L-infinity budgets such as "8/255", or numbers on [0, 1]; for protections with a
            parameter `linf`. None: the protection's own.
        titles: One per image, for protections that use them.
        masks: White on what an editor keeps, for protections that use them; see
            `impress_bench.benchmark.api.masks.read_masks`.
        preset: The preset whose settings fill what `spec` leaves open; None: the plugins' defaults.
        progress: Called with the steps done and their total.

    All images go to the protection in one batch; results that it requires (those that `+o-pgd`
    starts from, say) are computed on the same images. Returns an `ImageResult`, or with `budgets` a
    `Sweep` of them. Raises ConfigError for what the caller has to correct, PluginError for a
    protection that fails, breaks its budget (`OverBudget`) or does not apply.
    """
    clean = read_images(images)
    if titles:
        check_count("titles", len(titles), clean)
    kept = None if masks is None else read_masks(masks, clean)
    given = replace(clean, titles=tuple(titles), masks=kept)
    specs = {"": spec} if budgets is None else with_budgets(spec, budgets)
    chosen = {budget: choose("protection", one, preset) for budget, one in specs.items()}
    surrogate = loaded(model)
    named = dict.fromkeys(name for one in chosen.values() for name in one.further_models)
    conditions = Conditions(surrogate, seed, progress, load_further(named, surrogate))
    made = {budget: _protected(given, one, conditions) for budget, one in chosen.items()}
    return made[""] if budgets is None else Sweep(made)


def _protected(clean: ImageSet, chosen: Chosen, conditions: Conditions) -> ImageResult:
    notes: dict[str, Distances] = {}
    answer = _answer(clean, chosen, conditions, notes)
    check_notes(f"protection {chosen.label}", notes, clean)
    moved = {norm: getattr(answer, norm).double().cpu().numpy() for norm in NORMS}
    images = to_pixels(answer.images)
    return ImageResult(
        chosen.label, images, clean.names, **moved, originals=clean.images, notes=notes
    )


def _answer(
    clean: ImageSet, chosen: Chosen, conditions: Conditions, notes: dict[str, Distances]
) -> Protected:
    """What a protection makes of the images, after those that it requires."""
    results = {
        name: _answer(clean, other, conditions, {}) for name, other in chosen.required().items()
    }
    masks = None
    if clean.masks is not None:
        masks = torch.from_numpy(clean.masks).to(conditions.model.device)
    context = conditions.context(
        "protect",
        titles=clean.titles,
        masks=masks,
        results=results,
        note=noted(notes),
    )
    known = hooks(chosen.plugin, ProtectionHooks)
    known.receive_names(SUBJECT, clean.names)
    skipped = known.skip(SUBJECT, conditions.model)
    answer: Protected = conditions.call("protection", chosen, clean, context, skipped)
    return answer
