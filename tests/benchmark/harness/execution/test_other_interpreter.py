"""Plugins apart from this process: a metric, and what is installed beside another interpreter."""

import json
import sys
import sysconfig
import venv
from pathlib import Path
from tempfile import gettempdir

import pandas as pd
import pytest

import impress_bench.benchmark
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.other_environment import OtherEnvironment
from impress_bench.benchmark.sandbox.confine import missing_walls


@pytest.fixture(scope="module")
def theirs(third_parties, tmp_path_factory):
    """An environment of its own: this package and its libraries by reference, and the plugin."""
    folder = tmp_path_factory.mktemp("theirs") / "env"
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python3*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site / "shared.pth").write_text(
        "".join(f"import site; site.addsitedir({p!r})\n" for p in ours)
    )
    for path in third_parties.iterdir():
        if path.name.startswith("sample_cloak"):
            (site / path.name).symlink_to(path)
    return folder / "bin" / "python"


def hidden(path):
    """Whether the walls around another interpreter's plugin hide a folder of this environment."""
    places = (Path.cwd(), Path.home(), Path(gettempdir()))
    return any(Path(path).resolve().is_relative_to(place.resolve()) for place in places)


@pytest.mark.skipif(bool(missing_walls()), reason="this system confines nothing")
@pytest.mark.skipif(
    hidden(sys.prefix) or hidden(impress_bench.benchmark.__path__[0]),
    reason="the other environment borrows from this one, which stands where the walls hide it",
)
def test_it_is_found_asked_and_measured(bench, theirs):
    """Its figures are those that it has when it is installed here."""
    values = {
        "protections": ["clean", "sample-cloak", "sample-cloak[side=2]"],
        "purifiers": ["keep"],
        "subjects": 1,
        # The plugin's own model must be known where it runs.
        "models": {"protection": "atelier", "purifier": "tiny", "target": "tiny"},
    }
    with pytest.raises(ConfigError, match="Unknown protection 'sample-cloak'"):
        bench.run(**values)
    result = bench.run("apart", plugin_python=str(theirs), **values)
    assert result.failures == []
    moved = result.protections.set_index(["protection", "image"])
    assert moved.loc["sample-cloak", "linf"].tolist() == pytest.approx([8 / 255] * 2)
    assert (moved.loc["sample-cloak", "lpips"] > 0).all()
    assert (moved.loc["clean", "lpips"] == 0).all()
    told = json.loads((result.out / "provenance.json").read_text())
    component = told["components"]["protection sample-cloak"]
    assert (component["distribution"], component["version"]) == ("sample-cloak", "1.0")
    again = bench.run("again", plugin_python=str(theirs), **values)
    assert set(again.stages) == {"reused"}
    pd.testing.assert_frame_equal(again.cells, result.cells)


def test_a_metric_measures_the_same_apart(bench, tmp_path):
    values = {"protections": ["clean"], "purifiers": ["keep"], "subjects": 1}
    values["metrics"] = ["gap", "wording"]
    here = bench.run("here", **values)
    apart = bench.run("there", store=tmp_path / "other", isolate=True, **values)
    assert apart.failures == []
    pd.testing.assert_frame_equal(apart.cells, here.cells)


def test_nothing_of_it_is_imported_here(bench, theirs, tmp_path):
    """What it registers is read from metadata, and its code by its installer's record."""
    before = set(sys.modules)
    other = OtherEnvironment(str(theirs))
    assert "impress-bench" not in other.installed
    assert set(other.entries()["protections"]) == {"sample-cloak"}
    (entry,) = other.entries()["protections"]["sample-cloak"]
    code = other.code(entry)
    assert len(code.digest) == 64
    assert code.libraries == {"sample-cloak": "1.0"}
    assert not any(name.startswith("sample_cloak") for name in set(sys.modules) - before)


@pytest.mark.parametrize("python", ["/nowhere/bin/python", sysconfig.get_paths()["stdlib"]])
def test_what_is_no_environment_is_named(python):
    with pytest.raises(ConfigError, match="is no interpreter of a virtual environment"):
        OtherEnvironment(python)
