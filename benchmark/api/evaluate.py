"""`evaluate`: how far images are from a reference, and how consistent with a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from impress_bench.benchmark.api.conditions import distances, generator, loaded
from impress_bench.benchmark.api.inputs import Images, Pixels
from impress_bench.benchmark.api.results import (
    ImageResult,
    Sweep,
    by_budget,
    check_count,
    taken,
)
from impress_bench.benchmark.contract import NORMS, ImageSet
from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.models import inconsistency
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.benchmark.spec import parse_spec
from impress_bench.metrics import psnr, ssim, vif_p

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: Of pairs of images; (preds, target) -> (N,).
PAIRS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ssim": ssim,
    "psnr": psnr,
    "vif-p": vif_p,
}


def evaluate(
    images: Images | ImageResult | Sweep,
    reference: Images | ImageResult | None = None,
    *,
    metrics: Sequence[str] = tuple(PAIRS),
    model: str | LatentDiffusion | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """A table with one row per image: distances, metrics of pairs, and inconsistency.

    Parameters:
        images: As for `protect`, or what `protect` or `purify` returned.
        reference: What each image is compared with, in the same order; None: the clean images that
            results of `protect`, and what `purify` made of those, hold.
        metrics: "ssim", "psnr" (dB), "vif-p" (of at least 41 x 41 pixels), and registered ones that
            compare pairs of images, with parameters as in a preset.
        model: A surrogate as for `protect`, whose inconsistency with the images is measured; None:
            it is not.
        seed: Of the noise that `ldm-error` needs.

    Columns: `budget` for a `Sweep` (the bound, on [0, 1]); `spec`, `image`; `linf`, `l2` and
    `lpips` on [0, 1] as budgets measure them; each metric; with `model`, the mean squared errors
    `vae-error` ||x - D(E(x))||^2 and `ldm-error` ||x - f_LDM(x)||^2 between an image and the
    model's reconstruction (Section 4.1 of the IMPRESS paper), and `clean-lpips` between that and
    the reference. Raises ConfigError for an unknown metric, and where there is no reference.
    """
    surrogate = None if model is None else loaded(model)
    registry = Registry()
    measures = {name: PAIRS.get(name) or _registered(name, registry) for name in metrics}
    if isinstance(images, Sweep):
        return by_budget(
            {
                budget: _measured(result, reference, measures, surrogate, seed)
                for budget, result in images.items()
            }
        )
    return _measured(images, reference, measures, surrogate, seed)


@torch.no_grad()
def _measured(
    images: Images | ImageResult,
    reference: Images | ImageResult | None,
    measures: Mapping[str, Callable[[Tensor, Tensor], Any]],
    model: LatentDiffusion | None,
    seed: int,
) -> pd.DataFrame:
    given, originals = taken(images)
    pixels = to_tensor(given.images)
    target = to_tensor(_reference(reference, originals, given))
    columns: dict[str, Any] = {"image": list(given.names), **distances(pixels, target)}
    if isinstance(images, ImageResult):
        columns = {"spec": images.spec, **columns}
    for name, measure in measures.items():
        try:
            values = measure(pixels, target)
        except ValueError as error:  # VIF needs 41 x 41 pixels
            raise ConfigError(f"metrics: {name}: {error}; leave it out by metrics=[…]") from None
        except Exception as error:
            raise plugin_error("metric", name, "failed", error) from error
        columns[name] = _one_per_image(name, values, given)
    if model is not None:
        x, clean = pixels.to(model.device), target.to(model.device)
        noise = generator("inspect", seed)
        columns |= inconsistency.measure(model, x, model.reconstruct(x).clamp(0, 1), clean, noise)
    return pd.DataFrame(columns)


def _reference(
    reference: Images | ImageResult | None, originals: Pixels | None, given: ImageSet
) -> Pixels:
    """What the images are compared with, uint8 (N, H, W, 3)."""
    if reference is None and originals is None:
        raise ConfigError(
            "reference: nothing says what the images are compared with; pass the clean images, or"
            " a result of protect, which holds them"
        )
    found = originals if reference is None else taken(reference)[0].images
    assert found is not None
    check_count("reference", len(found), given)
    if found.shape != given.images.shape:
        sizes = [f"{one.shape[1]} x {one.shape[2]}" for one in (found, given.images)]
        raise ConfigError(f"reference: it is {sizes[0]}, the images compared with it {sizes[1]}")
    return found


def _registered(text: str, registry: Registry) -> Callable[[Tensor, Tensor], Any]:
    """A metric of a plugin, by its spec. Raises ConfigError and PluginError."""
    spec = parse_spec(text)
    if spec.name in NORMS:
        raise ConfigError(f"metrics: {spec.name} is measured always, as budgets are; leave it out")
    if spec.name not in registry.entries["metrics"]:
        known = sorted({*PAIRS, *registry.entries["metrics"]})
        raise ConfigError(f"metrics: {unknown('metric', spec.name, known)}")
    metric = registry.resolve("metrics", spec).create()
    if getattr(metric, "over", "image") != "image":
        raise ConfigError(
            f"metrics: {text} has one value per set of images, not per image; create it and call it"
        )
    if getattr(metric, "needs_titles", False):
        raise ConfigError(
            f"metrics: {text} compares images with texts; create it and call it with titles="
        )
    measure: Callable[[Tensor, Tensor], Any] = metric
    return measure


def _one_per_image(name: str, values: Any, images: ImageSet) -> list[float]:
    """PSNR of equal images is infinite, and stays so."""
    try:
        found = [float(value) for value in values]
        check_count(name, len(found), images)
    except (TypeError, ValueError, ConfigError) as error:
        raise plugin_error("metric", name, "did not return one value per image", error) from error
    return found
