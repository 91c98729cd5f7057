"""A share of the works protected: which, how many, and nothing else changed."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from contexts import context

from impress_bench.benchmark.contract import PluginError, Protected, State
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.protections import Partial

SHARES = (0.1, 0.25, 0.5, 0.9, 1.0)


def cloaked(images):
    moved = ((255 * images).round() + 4).clamp(max=255) / 255
    return Protected(moved, *[torch.zeros(len(images))] * 3)


def chosen(images, share, seed=0):
    """Which works a share protects; the others are the clean ones to the bit."""
    results, noted = {"cloak": cloaked(images)}, {}
    given = context(seed, results=results, note=lambda name, values: noted.update({name: values}))
    published = Partial(of="cloak", share=share)(images, given).images
    found = set()
    for i, image in enumerate(published):
        if torch.equal(image, results["cloak"].images[i]):
            found.add(i)
        else:
            assert torch.equal(image, images[i])
    assert noted == {"partial-protected": [float(i in found) for i in range(len(images))]}
    return found


def test_shares_are_nested_and_drawn_from_the_seed(smooth_images) -> None:
    images = 0.9 * smooth_images(12, 16)
    images = (255 * images).round() / 255
    sets = [chosen(images, share) for share in SHARES]
    assert [len(one) for one in sets] == [1, 3, 6, 11, 12]
    assert all(smaller < larger for smaller, larger in pairwise(sets))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()
    assert sets == [set(order[: len(one)]) for one in sets]
    assert len({frozenset(chosen(images, 0.5, seed)) for seed in range(5)}) > 1


def test_one_image_is_skipped_and_odd_shares_are_refused(smooth_images) -> None:
    images = smooth_images(1, 16)
    with pytest.raises(PluginError, match="partly protected") as skipped:
        Partial(of="cloak")(images, context(results={"cloak": cloaked(images)}))
    assert skipped.value.state is State.SKIPPED
    for share in (0, 0.05, 1.1):
        with pytest.raises(ValueError, match="share must be"):
            Partial(of="cloak", share=share)


def test_all_shares_mix_one_run_of_the_protection_whose_key_they_leave_alone() -> None:
    preset = load_preset("partial").override(subjects=1)
    plan = make_plan(preset, Registry())
    stages = [stage for stage in plan.stages.values() if stage.kind == "protect"]
    assert len(stages) == len(preset.protections)
    (glaze,) = (s for s in stages if s.component == "protection glaze")
    mixed = [s for s in stages if "partial" in s.component]
    assert all(s.inputs["requires glaze"] is glaze for s in mixed)
    alone = make_plan(preset.override(protections=["glaze"]), Registry())
    assert glaze.key in alone.stages
