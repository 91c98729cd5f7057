import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.harness.plugins.models import model_code
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.plugins.source_digest import SourceIndex


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose modules import each other in every way there is."""
    folder = tmp_path / "fake_package"
    (folder / "inner").mkdir(parents=True)
    files = {
        "__init__.py": 'raise RuntimeError("a digest must not import")',
        "start.py": "import json\nfrom .inner import deep\nfrom fake_package import lazy",
        "narrow.py": "from fake_package.lazy import Cloak, Old",
        "lazy/__init__.py": '_HOMES = {"x": ".hidden", "Cloak": "cloak", "Old": "fake_package.old"}'
        "\ndef __getattr__(name): ...",
        "lazy/hidden.py": "",
        "lazy/cloak.py": "",
        "old.py": "",
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
        "fake_package.lazy.cloak",
        "fake_package.lazy.hidden",
        "fake_package.old",
        "fake_package.start",
    ]
    assert "fake_package" not in sys.modules


def test_a_name_of_a_lazy_package_is_the_module_that_it_comes_from(package):
    assert SourceIndex().closure("fake_package.narrow") == [
        "fake_package.lazy.cloak",
        "fake_package.narrow",
        "fake_package.old",
    ]
    (package / "narrow.py").write_text("from fake_package.lazy import Cloak, unknown")
    assert "fake_package.lazy.hidden" in SourceIndex().closure("fake_package.narrow")


@pytest.mark.parametrize("changed", ["start.py", "inner/deep.py", "late.py", "lazy/hidden.py"])
def test_digest_sees_transitive_changes(package, changed):
    before = SourceIndex().digest("fake_package.start")
    with (package / changed).open("a") as file:
        file.write("\nchanged = 1\n")
    assert SourceIndex().digest("fake_package.start") != before


CLASS = '''
class Cloak:
    """Hides."""

    budget: float = 0.05  # of LPIPS

    def __call__(self, images, weight=None):
        """Hidden images."""
        return [images, "a", weight]
'''


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Hides.", "Hides well.", True),
        ("Hidden images.", "Images.", True),
        ("  # of LPIPS", "", True),
        ("return [images", "return  [ images", True),
        ("0.05", "5e-2", True),
        ("0.05", "0.06", False),
        ('"a"', '"b"', False),
        ('"a"', 'b"a"', False),
        ("weight=None", "weight=False", False),
        ("weight=None", "weight", False),
        ("[images, ", "[", False),
    ],
)
def test_digest_is_of_code_and_not_of_prose(package, old, new, same):
    (package / "late.py").write_text(CLASS)
    before = SourceIndex().digest("fake_package.start")
    assert old in CLASS
    (package / "late.py").write_text(CLASS.replace(old, new))
    assert (SourceIndex().digest("fake_package.start") == before) is same


def test_digest_ignores_what_is_not_reached(package):
    before = SourceIndex().digest("fake_package.start")
    (package / "unused.py").write_text("x = 1")
    assert SourceIndex().digest("fake_package.start") == before


@contextmanager
def edited(monkeypatch, name, edit):
    """As if `edit` had been made to the file of a name."""
    read = Path.read_bytes

    def altered(path):
        code = read(path)
        return edit(code) if path.as_posix().endswith(name) else code

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", altered)
        yield Registry()


def sources(monkeypatch, name, edit):
    """The code of all that this project ships, as if `edit` had been made to the file of a name."""
    with edited(monkeypatch, name, edit) as registry:
        return {
            (group, name): registry.index.code(entry.module, entry.dist)
            for group in ("protections", "adaptations", "purifiers", "tasks")
            for name, (entry, *_) in registry.entries[group].items()
            if entry.dist.name == "impress-bench"
        }


def test_prose_in_the_contract_changes_nothing_and_a_constant_everything(monkeypatch):
    def reworded(code):
        old = b'"""How a cell ended'
        assert old in code
        return code.replace(old, b'"""The way in which a cell ended') + b"\n# the end\n"

    contract = "benchmark/contract.py"
    before = sources(monkeypatch, contract, lambda code: code)
    assert sources(monkeypatch, contract, reworded) == before
    after = sources(monkeypatch, contract, lambda code: code + b"LIMIT = 1\n")
    assert not {name for name in before if before[name] == after[name]}


#: Protections that are another one but for one step, and so change with it.
VARIANTS = {
    "disdiff": ["aspl"],
    "simac": ["aspl"],
    "style_guard": ["aspl"],
    "style_protect": ["caat"],
}


def test_editing_a_protection_changes_nothing_of_others(monkeypatch):
    place = "protections/glaze.py"
    before = sources(monkeypatch, place, lambda code: code)
    after = sources(monkeypatch, place, lambda code: code + b"LIMIT = 1\n")
    assert {key for key in before if before[key] != after[key]} == {("protections", "glaze")}
    registry = Registry()
    modules = {entry.module for (entry, *_) in registry.entries["protections"].values()}
    for module in modules:
        _, _, name = module.rpartition(".")
        own = {module} | {f"impress_bench.protections.{base}" for base in VARIANTS.get(name, ())}
        assert modules & set(registry.index.closure(module)) == own


@pytest.mark.parametrize("part", ["sampling", "loading", "model", "tiny_autoencoder"])
def test_a_family_s_code_identifies_its_models_and_no_plugin(monkeypatch, part):
    """Whether the model is a registered name or a folder; a judge loads models by itself."""
    place = f"families/stable_diffusion/{part}.py"

    def codes(edit):
        with edited(monkeypatch, place, edit) as registry:
            return [model_code(registry, name) for name in ("atelier", str(PACK))] + [
                registry.index.digest("impress_bench.benchmark.tasks.style_judge")
            ]

    before, after = codes(lambda code: code), codes(lambda code: code + b"LIMIT = 1\n")
    assert not set(before) & set(after)
    plain = sources(monkeypatch, place, lambda code: code)
    assert sources(monkeypatch, place, lambda code: code + b"LIMIT = 1\n") == plain


def test_a_plugin_that_imports_a_class_from_the_package_reaches_no_protection(site):
    line = "from impress_bench.protections import GradientProtection\n"
    (site / "fake_helper.py").write_text(line)
    closure = SourceIndex().closure("fake_helper")
    assert "impress_bench.protections.base" in closure
    modules = {entry.module for (entry, *_) in Registry().entries["protections"].values()}
    assert not modules & set(closure)


def test_project_modules_are_found(site):
    closure = SourceIndex().closure("fake_plugins", frozenset({"fake_helper"}))
    assert "impress_bench.benchmark.contract" in closure
    assert "fake_helper" in closure
    assert "torch" not in closure


def test_missing_module_is_none():
    assert SourceIndex().module("fake_nowhere.at_all") is None
