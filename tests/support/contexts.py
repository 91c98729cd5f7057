"""The context that tests of plugins hand to them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, Protected
from impress_bench.protections import Adaptation, GradientProtection


def context(seed: int = 0, **more: Any) -> Context:
    """One whose generator starts at `seed`; `more` are its other fields."""
    return Context(generator=torch.Generator().manual_seed(seed), **more)


def adapted_to(
    base: GradientProtection[Any], adaptation: Adaptation, images: Tensor, given: Context
) -> tuple[Protected, Protected, dict[str, list[float]]]:
    """What `base` and its adapted self make of the same images, and what was noted."""
    results = {base.name: base(images, given)}
    noted: dict[str, list[float]] = {}
    known = context(
        model=given.model,
        results=results,
        note=lambda name, values: noted.update({name: list(values)}),
    )
    return results[base.name], adaptation(base, base.name)(images, known), noted
