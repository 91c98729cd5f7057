"""`everything`: all that is registered besides what a preset lists, which alone is adapted."""

from __future__ import annotations

import pytest

from impress_bench.benchmark.harness.planning.expand_all import expanded

LISTED = {"protections": ["clean", "shift[rounds=1]", "glaze[p=0.2]"], "purifiers": ["keep"]}


def test_what_is_listed_comes_first_and_the_rest_follows(bench, registry):
    preset = expanded(bench.preset(everything=True, **LISTED), registry)
    assert preset.protections[:3] == LISTED["protections"]
    assert "matched" in preset.protections
    assert "shift" not in preset.protections  # listed with other parameters
    assert set(preset.purifiers) >= {"keep", "smooth", "impress", "jpeg"}
    assert len(set(preset.protections)) == len(preset.protections)


def test_adaptations_that_need_no_other_plugin_are_applied_to_what_is_listed(bench, registry):
    """`halved` injects a purifier, so nobody chose one; `clean` states no objective."""
    preset = expanded(bench.preset(everything=True, **LISTED), registry)
    assert "glaze[p=0.2]+consistency" in preset.protections
    assert "glaze[p=0.2]+o-pgd" in preset.protections
    assert "advdm" in preset.protections
    assert not any(name.startswith("advdm+") for name in preset.protections)
    assert not any("halved" in name or "purifier" in name for name in preset.protections)
    controls = ("clean+", "identity+", "random-noise+")
    assert not any(name.startswith(controls) for name in preset.protections)


@pytest.mark.parametrize("flags", [{"protections": "--protections"}, {}])
def test_what_is_named_is_not_added_to(bench, registry, flags):
    preset = bench.preset(everything=True).override(flags, protections=["shift"])
    preset = expanded(preset, registry)
    assert preset.protections == ["shift"]
    assert "smooth" in preset.purifiers


def test_a_preset_that_does_not_ask_stays(bench, registry):
    preset = bench.preset(**LISTED)
    assert expanded(preset, registry) is preset
