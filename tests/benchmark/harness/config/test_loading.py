from itertools import product

import pytest

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config import loading
from impress_bench.benchmark.harness.config.loading import load_preset, shipped_presets
from impress_bench.benchmark.harness.config.selection import select
from impress_bench.benchmark.harness.config.tables import Block
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec

BLOCK = '\n[[matrix]]\nprotections = ["{}"]\npurifiers = ["keep", "smooth"]\n'


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_shipped_presets_load(name):
    assert load_preset(name).name == name


def test_file_is_named_after_itself(preset_file):
    preset = load_preset(preset_file)
    assert preset.name == "fake"
    assert preset.models.roles() == dict.fromkeys(("protection", "purifier", "target"), "tiny")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("purifiers =", "purifier =", "Unknown key 'purifier'. Did you mean: purifiers"),
        ('target = "tiny"', 'targt = "tiny"', "key in models: 'targt'. Did you mean: target"),
        ("threads = 1", "threads = 0", "threads: .*greater than 0, not 0"),
        ("threads = 1", "seeds = []", "seeds: "),
        ("threads = 1", 'origin = "x"', "Unknown key 'origin'"),
        ('["clean", "shift"]', '["clean["]', "protections: .*bracket"),
        ('tasks = ["copying"]', "", "tasks: Field required"),
        ("[models]", "[settings.within.copying.purifers]\n[models]",
         "Unknown key in settings.within.copying: 'purifers'. Did you mean: purifiers"),
        ("title =", "title", "not a TOML file"),
    ],
)  # fmt: skip
def test_errors_name_file_and_key(preset_file, old, new, complaint):
    preset_file.write_text(preset_file.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_preset(preset_file).specs("protections")
    assert str(preset_file) in str(caught.value)


def test_unknown_preset_is_guessed(tmp_path):
    with pytest.raises(ConfigError, match=r"Unknown preset 'quik'\. Did you mean: quick"):
        load_preset("quik")
    with pytest.raises(ConfigError, match="No such file"):
        load_preset(tmp_path / "none.toml")


def test_matrix_restricts_and_flags_lift_it(preset_file):
    block = '\n[[matrix]]\nprotections = ["shift"]\npurifiers = ["smooth", "keep"]\n'
    block += '[[matrix]]\nprotections = ["clean"]\npurifiers = ["keep"]\n'
    preset_file.write_text(preset_file.read_text() + block)
    preset = load_preset(preset_file)

    def crossed(preset, protection, purifier):
        return preset.crossed(*map(parse_spec, ("copying", protection, purifier)))

    assert crossed(preset, "shift", "smooth")
    assert not crossed(preset, "clean", "smooth")
    chosen = preset.override({"protections": "--protections"}, protections=["clean"])
    assert crossed(chosen, "clean", "smooth")


def test_choosing_a_task_leaves_what_the_matrix_says_about_it():
    preset = load_preset("paper").override({"tasks": "--tasks"}, tasks=["malicious-editing"])
    task, glaze, encoder, none = map(
        parse_spec, ("malicious-editing", "glaze", "photoguard-encoder", "none")
    )
    assert preset.crossed(task, encoder, none)
    assert not preset.crossed(task, glaze, none)


def test_matrix_must_stay_within_the_lists(preset_file):
    block = '\n[[matrix]]\nprotections = ["shft"]\npurifiers = ["keep"]\n'
    preset_file.write_text(preset_file.read_text() + block)
    with pytest.raises(ConfigError, match=r"\[\[matrix\]\]: 'shft'. Did you mean: shift"):
        load_preset(preset_file)


@pytest.mark.parametrize(
    "line",
    [
        'tasks = ["malicious-editing"]',
        'protections = ["identity", "mist"]',
        'purifiers = ["none", "jpeg"]',
    ],
)
def test_inherited_matrix_that_does_not_fit_names_the_remedy(tmp_path, line):
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "quick"\n{line}\n')
    with pytest.raises(ConfigError, match=r"inherits its \[\[matrix\]\].* or matrix = \[\]"):
        load_preset(path)
    path.write_text(f'extends = "quick"\n{line}\nmatrix = []\n')
    assert load_preset(path).matrix == []


def test_no_listed_row_is_left_out_silently(preset_file, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(preset_file.read_text() + BLOCK.format("clean"))
    with pytest.raises(ConfigError, match=r"mine\.toml: protections: no \[\[matrix\]\] .*'shift'"):
        load_preset(path)
    text = preset_file.read_text().replace("subjects = 2", "everything = true")
    path.write_text(text + BLOCK.format("clean"))
    assert load_preset(path).everything  # which combines all that is registered


def test_copying_a_preset_with_other_rows_keeps_no_matrix(preset_file):
    preset_file.write_text(preset_file.read_text() + BLOCK.format("clean") + BLOCK.format("shift"))
    preset = load_preset(preset_file)
    copied = preset.model_copy(update={"protections": ["loud", "clean"]})
    assert copied == preset.override(protections=["loud", "clean"])
    assert copied.crossed(*map(parse_spec, ("copying", "loud", "smooth")))
    with pytest.raises(ConfigError, match=r"seeds: .*valid list, not 3"):
        preset.model_copy(update={"seeds": 3})
    with pytest.raises(ConfigError, match=r"Unknown key 'seed'. Did you mean: seeds"):
        preset.model_copy(update={"seed": [3]})
    assert preset.model_copy() == preset


def test_rows_and_a_matrix_replaced_together_must_agree(preset_file):
    block = {"protections": ["loud"], "purifiers": ["keep", "smooth"]}
    preset = load_preset(preset_file)
    assert preset.override(protections=["loud"], matrix=[block]).matrix == [Block(**block)]
    with pytest.raises(ConfigError, match=r"protections: no .* block names 'tinted'"):
        preset.override(protections=["loud", "tinted"], matrix=[block])


def test_override_blames_every_flag_so_far(preset_file):
    once = load_preset(preset_file).override({"subjects": "--subjects"}, subjects=1)
    twice = once.override({"seeds": "--seeds"}, seeds=[1])
    assert twice.overrides == {"subjects": "--subjects", "seeds": "--seeds"}


def test_override_blames_the_flag(preset_file):
    with pytest.raises(ConfigError, match=r"^--subjects: "):
        load_preset(preset_file).override({"subjects": "--subjects"}, subjects=0)


def test_a_preset_extends_a_shipped_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "paper"\nsubjects = 1\n[settings.protections.glaze]\nsteps = 7\n')
    paper, mine = load_preset("paper"), load_preset(path)
    assert (mine.name, mine.subjects) == ("mine", 1)
    glaze = mine.settings.protections["glaze"]
    assert glaze == {**paper.settings.protections["glaze"], "steps": 7}
    assert mine.settings.purifiers == paper.settings.purifiers


def test_extending_goes_on_and_never_in_circles(tmp_path, monkeypatch):
    shipped = {name: tmp_path / f"{name}.toml" for name in ("ring", "knot")}
    monkeypatch.setattr(loading, "shipped_presets", lambda: shipped)
    path = tmp_path / "mine.toml"
    path.write_text('extends = "ring"\n')
    shipped["ring"].write_text('extends = "knot"\nseeds = [1]\n')
    shipped["knot"].write_text(
        'tasks = ["style-mimicry"]\nprotections = ["glaze"]\npurifiers = ["none"]\nseeds = [2]\n'
    )
    assert load_preset(path).seeds == [1]
    assert load_preset(path).purifiers == ["none"]
    shipped["knot"].write_text('extends = "ring"\n')
    with pytest.raises(ConfigError, match="ring extends itself by ring > knot"):
        load_preset(path)


def test_subjects_may_be_counted_by_task(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "mini"\nsubjects = { style-mimicry = 2, malicious-editing = 1 }\n')
    plan = make_plan(load_preset(path), Registry())
    found = {(cell.place.task, cell.place.subject) for cell in plan.cells}
    assert sorted(task for task, _ in found) == ["malicious-editing", *["style-mimicry"] * 2]
    path.write_text('extends = "mini"\nsubjects = 3\n')
    assert load_preset(path).subjects == 3


def test_a_block_may_be_for_the_first_subjects_alone(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'tasks = ["style-mimicry"]\nprotections = ["identity", "glaze"]\n'
        'purifiers = ["none", "jpeg"]\nsubjects = 3\n'
        '[[matrix]]\nprotections = ["identity"]\npurifiers = ["none"]\n'
        '[[matrix]]\nprotections = ["glaze"]\npurifiers = ["none", "jpeg"]\nsubjects = 2\n'
    )
    plan = make_plan(load_preset(path), Registry())
    found: dict[tuple[str, str], list[str]] = {}
    for cell in plan.cells:
        found.setdefault(cell.place.parts, []).append(cell.place.subject)
    first, second, third = found["identity", "none"]
    assert found["glaze", "none"] == found["glaze", "jpeg"] == [first, second]
    assert ("identity", "jpeg") not in found
    assert {cell.place.subject for cell in plan.protections} == {first, second, third}
    path.write_text(path.read_text().replace("subjects = 2", "subjects = 0"))
    with pytest.raises(ConfigError, match=r"subjects: .*greater than 0, not 0"):
        load_preset(path)


def test_only_shipped_presets_are_extended(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "papr"\n')
    with pytest.raises(ConfigError, match="Did you mean: paper"):
        load_preset(path)


def test_validation_differs_from_the_frozen_preset_in_its_subjects_alone():
    paper, validation = (load_preset(name).model_dump() for name in ("paper", "validation"))
    for preset in (paper, validation):
        for key in ("name", "title", "description"):
            preset.pop(key)
    for settings in validation["settings"]["tasks"].values():
        assert settings.pop("split") == "validation"
    paper["display"].pop("settings_frozen")
    assert not validation["display"].pop("settings_frozen")
    assert paper == validation


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("within.coping.purifiers.smooth", r"settings\.within: 'coping'. Did you mean: copying"),
        ("within.copying.purifiers.smoth", r"copying\.purifiers: 'smoth'. Did you mean: smooth"),
        ("within.copying.purifiers.smooth", r"purifiers: .*smooth.*'radus'"),
    ],
)
def test_settings_within_a_task_are_checked_before_anything_runs(bench, table, complaint):
    values = {"radus": 2}
    for name in reversed(table.split(".")):
        values = {name: values}
    with pytest.raises(ConfigError, match=complaint):
        make_plan(bench.preset(settings=values), Registry())


def test_the_screen_is_of_validation_subjects_and_whatever_is_named():
    """A protection that is still being written must not be chosen on victims."""
    preset = select(load_preset("screen"), protections="identity,pid")
    cells = [cell.place for cell in make_plan(preset, Registry()).cells]
    measured = [place for place in cells if not place.protection.startswith("control:")]
    rows = {(place.protection, place.purifier) for place in measured}
    purifiers = ("none", "jpeg", "gaussian-noise", "resize")
    assert rows == set(product(("identity", "pid"), purifiers))
    subjects = {place.subject for place in cells}
    validation = {artist.name for artist in world.artists("validation")}
    artists = {name for name in subjects if not name.startswith("validation-photo-")}
    assert artists < validation
    assert (len(artists), len(subjects)) == (3, 9)
