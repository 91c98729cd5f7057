"""`impress-bench new` and `check`: a stranger's package conforms as it is written."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.scaffold import scaffold

MAIN = "from impress_bench.benchmark.cli import main; main()"


def installed(folder: Path, name: str) -> dict[str, str]:
    """An environment in which the package is on the path with its metadata, as pip would make it.

    pip itself is run by CI's workflow of the package; here it would ask the package registry.
    """
    project = tomllib.loads((folder / name / "pyproject.toml").read_text())["project"]
    source = folder / name / "src"
    info = source / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    points = [
        f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")
    path = os.pathsep.join([str(source), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path}


@pytest.mark.parametrize(
    ("kind", "name", "least"),
    [("protection", "my-cloak", 7), ("purifier", "softener", 7), ("metric", "gap", 6)],
)
def test_a_new_package_conforms_untouched(tmp_path, kind, name, least, forks):
    written = scaffold(kind, name, tmp_path)
    assert len(written) == 5
    project = tomllib.loads((tmp_path / name / "pyproject.toml").read_text())["project"]
    assert canonicalize_license_expression(project["license"])  # a submission has one
    compared = {"protection": f"'identity,{name},random-noise[match={name},within=mask]'",
                "purifier": f"'none,{name}'", "metric": f"--metrics '{name}'"}  # fmt: skip
    assert compared[kind] in (tmp_path / name / "README.md").read_text()
    environment = installed(tmp_path, name)
    checked = forks.run(MAIN, ["check", name, "--json"], tmp_path, environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    verdicts = json.loads(checked.stdout)
    assert len(verdicts) >= least
    assert not any(verdict["failure"] for verdict in verdicts)
    # The model alone is more than a tenth of a GiB; a peak never falls.
    peaks = [verdict["peak_gb"] for verdict in verdicts]
    assert 0.1 < peaks[0] <= peaks[-1] < 24
    chosen = "valid_images or more_than_noise or leaves_a_picture or points_the_right_way"
    words = ["-q", "-p", "no:cacheprovider", "-k", chosen, str(tmp_path / name)]
    code = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"
    tested = forks.run(code, words, tmp_path, environment)
    assert tested.returncode == 0, tested.stdout


def test_a_plugin_that_does_not_conform_is_told_why(tmp_path, forks):
    scaffold("protection", "my-cloak", tmp_path)
    source = tmp_path / "my-cloak/src/my_cloak/__init__.py"
    source.write_text(source.read_text().replace("return -(", "return ("))
    checked = forks.run(MAIN, ["check", "my-cloak"], tmp_path, installed(tmp_path, "my-cloak"))
    assert checked.returncode == 1
    assert "FAILED does more than noise" in checked.stdout
    assert "passed is deterministic" in checked.stdout


def test_what_a_plugin_prints_is_no_part_of_the_verdict(tmp_path, forks):
    scaffold("metric", "gap", tmp_path)
    source = tmp_path / "gap/src/gap/__init__.py"
    source.write_text("print('imported')\n" + source.read_text())
    environment = installed(tmp_path, "gap")
    checked = forks.run(MAIN, ["check", "gap", "--json"], tmp_path, environment)
    assert not any(verdict["failure"] for verdict in json.loads(checked.stdout))
    assert "imported" in checked.stderr
    checked = forks.run(MAIN, ["check", "gap"], tmp_path, environment)
    assert checked.stdout.startswith("passed ")


@pytest.mark.parametrize(
    ("kind", "other", "told"),
    [
        ("protection", "purifiers", "is a Protection, registered as a purifier"),
        ("purifier", "protections", "is a Purifier, registered as a protection"),
        ("protection", "metrics", "is a Protection, registered as a metric"),
    ],
)
def test_a_class_of_another_kind_is_told_so(tmp_path, kind, other, told, forks):
    """Images in, images out: a protection passes what a purifier must keep."""
    scaffold(kind, "my-one", tmp_path)
    project = tmp_path / "my-one" / "pyproject.toml"
    project.write_text(
        project.read_text().replace(f"impress_bench.{kind}s", f"impress_bench.{other}")
    )
    checked = forks.run(MAIN, ["check", "my-one"], tmp_path, installed(tmp_path, "my-one"))
    assert checked.returncode == 2, checked.stdout
    assert f"my-one {told}: move its entry point to impress_bench.{kind}s" in checked.stderr


@pytest.mark.parametrize("name", ["My Cloak", "9lives", "a_b", "../up", ""])
def test_a_name_that_cannot_be_one_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is no name"):
        scaffold("protection", name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("class", "is a keyword of Python's"),
        ("os", "is a module of Python's own"),
        ("conftest", "runs by itself"),
        ("glaze", "is a registered protection already"),
        ("style-mimicry", "is a registered task already"),
        ("torch", "is a module of torch, which the package would replace"),
        ("cv2", "is a module of opencv"),
        ("impress-bench", "is a module of impress-bench"),
        ("scikit-image", "is an installed distribution"),
    ],
)
def test_a_name_that_is_somebody_elses_is_refused(tmp_path, name, told):
    """`pip install -e torch`, as `new` would have one do, replaces PyTorch."""
    with pytest.raises(ConfigError, match=f"'{name}' .*{told}.*; choose another name"):
        scaffold("purifier", name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    scaffold("purifier", "softener", tmp_path)
    with pytest.raises(ConfigError, match="exists; choose"):
        scaffold("purifier", "softener", tmp_path)
