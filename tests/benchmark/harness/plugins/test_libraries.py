"""Which installed distributions belong to a component: real metadata in a folder on `sys.path`."""

import json
from importlib import metadata

import pytest

from impress_bench.benchmark.harness.plugins.libraries import Libraries
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex


@pytest.fixture
def engine(site, distribution):
    """A plugin that imports `fake_engine`, whose distribution requires others, and torch."""
    (site / "fake_engine.py").write_text("POWER = 1\n")
    (site / "fake_plugins.py").write_text("import fake_engine\nimport torch\n")
    distribution(site, "gears", modules=["fake_gears"], requires=["Oil.Can>=1", "torch"])
    distribution(site, "oil-can", modules=["fake_oil"], requires=["gears"])
    requires = ["gears[big]", "sand; extra == 'winter'", "snow; python_version < '3'"]
    distribution(site, "fake-engine", modules=["fake_engine"], requires=requires)
    return site


def code_of_plugin():
    return SourceIndex().code("fake_plugins", metadata.distribution("fake-plugins"))


TORCH = {"torch": metadata.version("torch")}


def test_owners_are_those_that_importlib_names(site):
    named = metadata.packages_distributions()
    for top in ("torch", "numpy", "PIL", "skimage", "fake_plugins"):
        expected = {name.lower().replace("_", "-") for name in named[top]}
        assert set(Libraries().owners(top)) == expected
    assert Libraries().owners("fake_nowhere") == ()


def test_what_a_plugin_imports_is_followed_to_all_that_it_requires(engine):
    """torch is not: this project requires it too, and its version names what it brings."""
    parts = {"fake-engine": "1.0", "gears": "1.0", "oil-can": "1.0"}
    assert code_of_plugin().libraries == {**parts, **TORCH}


@pytest.mark.parametrize("name", ["fake_engine", "gears", "oil_can"])
def test_a_new_version_is_other_code(engine, name):
    before = code_of_plugin()
    file = engine / f"{name}-1.0.dist-info" / "METADATA"
    file.write_text(file.read_text().replace("Version: 1.0", "Version: 2.0"))
    after = code_of_plugin()
    assert after.digest == before.digest
    assert after.libraries == {**before.libraries, name.replace("_", "-"): "2.0"}


@pytest.mark.parametrize("how", ["versioned", "editable", "no distribution"])
def test_code_is_read_where_there_is_no_version_to_go_by(engine, how):
    info = engine / "fake_engine-1.0.dist-info"
    if how == "editable":
        origin = {"url": "file:///src", "dir_info": {"editable": True}}
        (info / "direct_url.json").write_text(json.dumps(origin))
    elif how == "no distribution":
        info.rename(engine / "removed")
    before = code_of_plugin()
    (engine / "fake_engine.py").write_text("POWER = 2\n")
    after = code_of_plugin()
    assert ("fake-engine" in after.libraries) is (how == "versioned")
    assert (after == before) is (how == "versioned")


def test_a_requirement_counts_though_it_is_imported_by_name(engine):
    (engine / "fake_plugins.py").write_text("from importlib import import_module\n")
    assert code_of_plugin().libraries == {}
    file = engine / "fake_plugins-1.0.dist-info" / "METADATA"
    file.write_text(file.read_text() + "Requires-Dist: gears\nRequires-Dist: gone\n")
    parts = {"gears": "1.0", "gone": "absent", "oil-can": "1.0"}
    assert code_of_plugin().libraries == {**parts, **TORCH}


def test_a_closure_follows_extras_that_are_asked_for_and_stops_where_it_is_told(engine):
    file = engine / "gears-1.0.dist-info" / "METADATA"
    file.write_text(file.read_text() + "Requires-Dist: grease; extra == 'big'\n")
    closure = Libraries().closure
    assert closure(["Fake_Engine"], ["torch"]) == {
        "fake-engine", "gears", "grease", "oil-can", "torch"
    }  # fmt: skip
    assert closure(["oil-can"], ["torch"]) == {"gears", "oil-can", "torch"}
    assert closure(["oil-can"], ["gears"]) == {"gears", "oil-can"}
    assert "numpy" in closure(["torchvision"])
