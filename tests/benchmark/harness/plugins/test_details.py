"""`impress-bench list NAME`: what a plugin is, and its parameters."""

import json

import pytest

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.details import Parameter, details
from impress_bench.benchmark.harness.plugins.registry import Registry


def test_parameters_stand_with_defaults_and_what_they_do():
    (jpeg,) = details("jpeg", Registry())
    assert (jpeg.kind, jpeg.title) == ("purifier", "JPG")
    assert jpeg.about.startswith("Compresses and decompresses with Pillow, in memory.")
    assert "Args:" not in jpeg.about
    assert jpeg.parameters == [Parameter("quality", 15, False, "libjpeg's quality; 1 to 95.")]


def test_what_has_to_be_given_is_said_and_a_name_may_be_of_two_kinds():
    protection, purifier = details("dir", Registry())
    assert (protection.kind, purifier.kind) == ("protection", "purifier")
    assert (protection.parameters[0].name, protection.parameters[0].required) == ("path", True)


def test_tasks_models_and_presets_are_described_too():
    (task,) = details("style-mimicry", Registry())
    works = next(one for one in task.parameters if one.name == "works")
    assert works == Parameter("works", 24, False, "images per artist to learn from")
    (model,) = details("atelier", Registry())
    assert model.about.startswith("The embedded world")
    (preset,) = details("quick", Registry())
    assert preset.title.startswith("Tables 1 to 6")


@pytest.mark.parametrize("name", ["gllaze", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ConfigError, match="Unknown plugin or preset"):
        details(name, Registry())


def test_every_parameter_of_ours_that_is_a_number_is_described():
    registry = Registry()
    named = {
        one
        for group in ("protections", "purifiers", "adaptations")
        for one in registry.entries[group]
    }
    bare = [
        f"{one.name}.{each.name}"
        for name in sorted(named)
        for one in details(name, registry)
        for each in one.parameters
        if isinstance(each.default, int | float) and not each.about
    ]
    assert bare == []


def test_the_command_prints_and_has_json(in_process):
    code, printed, _ = in_process("list", "jpeg")
    assert code == 0
    assert printed.splitlines()[0].startswith("purifier jpeg: JPG (impress_bench.attacks.jpeg:Jpeg")
    assert "  quality=15\n      libjpeg's quality; 1 to 95." in printed
    code, printed, _ = in_process("list", "dir", "--json")
    assert [one["kind"] for one in json.loads(printed)] == ["protection", "purifier"]
    assert json.loads(printed)[0]["parameters"][0]["required"] is True
    code, _, told = in_process("list", "gllaze")
    assert code == 2
    assert "Did you mean: glaze?" in told


def test_a_plugin_that_cannot_be_imported_is_named(site, in_process):
    (site / "fake_torn.py").write_text("raise RuntimeError('the paint ran out')\n")
    info = site / "torn-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[impress_bench.purifiers]\ntorn = fake_torn:Torn\n")
    code, _, told = in_process("list", "torn")
    assert code == 2
    assert "purifier torn" in told
    assert "the paint ran out" in told
