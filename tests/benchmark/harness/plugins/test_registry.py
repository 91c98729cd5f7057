import sys

import pytest

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.plugins.listing import list_components
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec


def resolve(registry, text, group="protections", settings=None):
    spec = parse_spec(text)
    return registry.resolve(group, spec, {group: {spec.name: settings or {}}})


def test_every_parameter_is_decided(registry):
    assert resolve(registry, "shift").parameters == {"step": 8 / 255, "rounds": 2}
    shift = resolve(registry, "shift[step=1]", settings={"step": 0.5, "rounds": 7})
    assert shift.parameters == {"step": 1.0, "rounds": 7}
    assert isinstance(shift.parameters["step"], float)
    assert shift.create().rounds == 7
    assert (shift.distribution, shift.version) == ("fake-plugins", "1.0")


def test_settings_may_write_fractions(registry):
    assert resolve(registry, "shift", settings={"step": "4/255"}).parameters["step"] == 4 / 255


def test_requirements_are_asked_for(registry):
    assert resolve(registry, "matched[match=loud]").requires == ("loud",)


def test_titles_are_the_plugins_own_or_their_names_made_readable(registry):
    assert resolve(registry, "not-a-number").titles() == {"not-a-number": "Not a number"}
    chain = resolve(registry, "impress>smooth", "purifiers")
    assert chain.titles() == {"impress": "IMPRESS", "smooth": "Smooth"}
    adapted = resolve(registry, "glaze+o-pgd+purifier[expects=jpeg]")
    assert adapted.titles() == {
        "glaze": "GLAZE", "o-pgd": "O-PGD", "purifier": "Purifier", "jpeg": "JPG"
    }  # fmt: skip


def test_unknown_name_is_guessed(registry):
    with pytest.raises(ConfigError, match=r"Unknown purifier 'smoth'. Did you mean: smooth\? Av"):
        resolve(registry, "smoth", "purifiers")


def test_unknown_parameter_names_plugin_and_parameters(registry):
    with pytest.raises(ConfigError) as caught:
        resolve(registry, "shift[stp=1]")
    assert "'shift'" in str(caught.value)
    assert "Did you mean: step? Available: step, rounds" in str(caught.value)


def test_wrong_type_is_refused(registry):
    with pytest.raises(ConfigError, match="rounds of protection 'shift' must be of type int"):
        resolve(registry, "shift[rounds=2.5]")


def test_task_settings_are_validated(registry):
    assert resolve(registry, "copying", "tasks").parameters == {"size": 8, "broken_score": False}
    with pytest.raises(ConfigError, match=r"'copying': 'sise'. Did you mean: size"):
        resolve(registry, "copying[sise=3]", "tasks")
    with pytest.raises(ConfigError, match="size of task 'copying'"):
        resolve(registry, "copying[size=big]", "tasks")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", r"crash: could not be imported \(ImportError: libpaint.so"),
        ("absent", "absent: could not be imported .*fake_absent"),
        ("misnamed", "misnamed: could not be imported .*Misnamed"),
        ("unbuildable", r"unbuildable: could not be created \(ValueError: no licence"),
    ],
)
def test_broken_plugins_blame_themselves(registry, name, reason):
    with pytest.raises(PluginError, match=reason):
        resolve(registry, name)


def test_duplicate_names_both_distributions(site, distribution):
    distribution(site, "rival", "[impress_bench.protections]\nshift = fake_plugins:Loud\n")
    with pytest.raises(ConfigError, match="'shift' is registered by fake-plugins and rival"):
        resolve(Registry(), "shift")


def test_listing_reads_source_only(site):
    (site / "fake_crooked.py").write_text("def (:\n")
    points = "[impress_bench.purifiers]\ncrooked = fake_crooked:Crooked\n"
    info = site / "crooked-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crooked\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(points)
    listed = {(item.kind, item.name): item for item in list_components(Registry())}
    assert "fake_plugins" not in sys.modules
    shift = listed["protection", "shift"]
    assert shift.summary == "Moves every value by random steps."
    assert (shift.distribution, shift.version, shift.problem) == ("fake-plugins", "1.0", "")
    assert listed["model", "tiny"].summary == "A model that costs nothing."
    assert "no module named 'fake_absent'" in listed["protection", "absent"].problem
    assert "no attribute 'Misnamed'" in listed["protection", "misnamed"].problem
    assert listed["purifier", "crooked"].problem.startswith("SyntaxError")
    assert listed["purifier", "crooked"].version == "2.0"


def test_memo_spares_the_import_and_knows_the_source(site, tmp_path):
    first = resolve(Registry(tmp_path / "memo"), "matched")
    del sys.modules["fake_plugins"]
    again = resolve(Registry(tmp_path / "memo"), "matched")
    assert again == first
    assert again.requires == ("shift",)
    assert "fake_plugins" not in sys.modules
    source = site / "fake_plugins.py"
    source.write_text(source.read_text().replace('match: str = "shift"', 'match: str = "clean"'))
    assert resolve(Registry(tmp_path / "memo"), "matched").requires == ("clean",)


def test_what_boards_say_of_our_plugins_is_a_sentence():
    ours = [one for one in list_components(Registry()) if one.distribution == OURS]
    assert len(ours) > 50
    assert [one.name for one in ours if not one.summary.endswith(".")] == []


@pytest.mark.parametrize(
    ("docstring", "summary"),
    [
        ("Moves pixels.", "Moves pixels."),
        ("Moves pixels by\nrandom steps. Then more.\n\nArgs.", "Moves pixels by random steps."),
        ("Of Li et al. 2023 at 0.5. More.", "Of Li et al. 2023 at 0.5."),
        ("without an end\n\nMore.", "without an end"),
        ("", ""),
    ],
)
def test_a_summary_is_the_first_sentence(site, docstring, summary):
    (site / "fake_told.py").write_text(f"def told():\n    {docstring!r}\n")
    info = site / "told-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: told\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[impress_bench.purifiers]\ntold = fake_told:told\n")
    (found,) = list_components(Registry(), {("purifier", "told")})
    assert found.summary == summary
