"""`everything`: all that is registered, adapted and not, besides what a preset lists."""

from __future__ import annotations

import pytest

from impress_bench.benchmark.harness.planning.expand_all import expanded

LISTED = {"protections": ["clean", "shift[rounds=1]"], "purifiers": ["keep"]}


def test_what_is_listed_comes_first_and_the_rest_follows(bench, registry):
    preset = expanded(bench.preset(everything=True, **LISTED), registry)
    assert preset.protections[:2] == ["clean", "shift[rounds=1]"]
    assert "matched" in preset.protections
    assert "shift" not in preset.protections  # listed with other parameters
    assert set(preset.purifiers) >= {"keep", "smooth", "impress", "jpeg"}
    assert len(set(preset.protections)) == len(preset.protections)


def test_adaptations_that_need_no_other_plugin_are_applied_where_they_fit(bench, registry):
    """`halved` injects a purifier, so nobody chose one; controls state no objective."""
    preset = expanded(bench.preset(everything=True, **LISTED), registry)
    assert "glaze+consistency" in preset.protections
    assert "glaze+o-pgd" in preset.protections
    assert not any("halved" in name or "purifier" in name for name in preset.protections)
    assert not any(name.startswith(("identity+", "random-noise+")) for name in preset.protections)


@pytest.mark.parametrize("flags", [{"protections": "--protections"}, {}])
def test_what_is_named_is_not_added_to(bench, registry, flags):
    preset = bench.preset(everything=True).override(flags, protections=["shift"])
    preset = expanded(preset, registry)
    assert preset.protections == ["shift"]
    assert "smooth" in preset.purifiers


def test_a_preset_that_does_not_ask_stays(bench, registry):
    preset = bench.preset(**LISTED)
    assert expanded(preset, registry) is preset
