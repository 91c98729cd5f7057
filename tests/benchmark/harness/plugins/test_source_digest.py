import sys

import pytest

from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose modules import each other in every way there is."""
    folder = tmp_path / "fake_package"
    (folder / "inner").mkdir(parents=True)
    files = {
        "__init__.py": 'raise RuntimeError("a digest must not import")',
        "start.py": "import json\nfrom .inner import deep\nfrom fake_package import lazy",
        "lazy/__init__.py": '_HOMES = {"x": ".hidden"}\ndef __getattr__(name): ...',
        "lazy/hidden.py": "",
        "inner/__init__.py": "",
        "inner/deep.py": "def f():\n    from ..late import value\n",
        "late.py": "value = 1",
        "unused.py": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_closure_follows_every_import_without_importing(package):
    assert SourceIndex().closure("fake_package.start") == [
        "fake_package.inner.deep",
        "fake_package.late",
        "fake_package.lazy",
        "fake_package.lazy.hidden",
        "fake_package.start",
    ]
    assert "fake_package" not in sys.modules


@pytest.mark.parametrize("changed", ["start.py", "inner/deep.py", "late.py", "lazy/hidden.py"])
def test_digest_sees_transitive_changes(package, changed):
    before = SourceIndex().digest("fake_package.start")
    with (package / changed).open("a") as file:
        file.write("\n# changed\n")
    assert SourceIndex().digest("fake_package.start") != before


def test_digest_ignores_what_is_not_reached(package):
    before = SourceIndex().digest("fake_package.start")
    (package / "unused.py").write_text("x = 1")
    assert SourceIndex().digest("fake_package.start") == before


def test_project_modules_are_found(site):
    closure = SourceIndex().closure("fake_plugins", frozenset({"fake_helper"}))
    assert "impress_bench.benchmark.contract" in closure
    assert "fake_helper" in closure
    assert "torch" not in closure


def test_missing_module_is_none():
    assert SourceIndex().module("fake_nowhere.at_all") is None
