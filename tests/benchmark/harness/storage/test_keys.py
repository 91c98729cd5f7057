import pytest

from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.storage import keys


def stage_keys(bench, **values):
    """Keys by kind and place, of a fresh plan."""
    plan = make_plan(bench.preset(**values), Registry())
    return {(stage.kind, str(stage.place)): key for key, stage in plan.stages.items()}


def changed(before, after):
    """Kinds of the stages whose key differs."""
    assert before.keys() == after.keys()
    return {kind for (kind, place), key in before.items() if after[kind, place] != key}


def test_canonical_json_is_one_text():
    assert keys.canonical_json({"b": 1.0, "a": [1, True]}) == '{"a":[1,true],"b":1.0}'
    with pytest.raises(ValueError, match="Out of range"):
        keys.canonical_json(float("nan"))


def test_key_schema_is_pinned():
    """Keys of a stored result must not drift unnoticed: raise SCHEMA when they have to."""
    document = keys.key_inputs("protect", {"a": 1}, {"original": "k"}, threads=1)
    document["libraries"] = {"torch": "2"}
    assert keys.key_of(document) == (
        "5839c76d7bb50970d14d61b7511fc479d5eb8142fab704b2e11d18e91b757f38"
    )


def test_seeds_depend_on_coordinates():
    assert keys.derive_seed("protect", "copying", "ada", 0) == 3398272734
    assert keys.derive_seed("purify", "copying", "ada", 0) != keys.derive_seed(
        "protect", "copying", "ada", 0
    )


def test_same_plan_same_keys(bench):
    assert stage_keys(bench) == stage_keys(bench)


def test_patterns_give_the_keys_of_whole_documents(bench):
    """Stages get their keys from texts that they share; each document says the same by itself."""
    values = {"metrics": ["gap", "brightness"], "seeds": [0, 1], "inspections": True}
    names = {"protections": ["clean", "shift", "matched", "shift+halved"]}
    plan = make_plan(bench.preset(**values, **names), Registry())
    kinds = {"original", "protect", "purify", "exploit", "score", "measure", "inspect"}
    assert {stage.kind for stage in plan.stages.values()} == kinds
    for key, stage in plan.stages.items():
        assert key == stage.key == keys.key_of(stage.document)


def test_a_pattern_takes_texts_as_they_are():
    document = keys.key_inputs("score", {"a": 'ä %s "inputs":{}'}, {"b": "1", "a": "2"}, threads=1)
    pattern = keys.KeyPattern(document)
    assert pattern.names == ["a", "b"]
    assert pattern.key("4", "3") == keys.key_of({**document, "inputs": {"a": "4", "b": "3"}})


def test_selection_does_not_matter(bench):
    whole = stage_keys(bench)
    part = stage_keys(bench, protections=["shift"], purifiers=["smooth"])
    assert part.items() <= whole.items()


def test_another_kind_of_device_is_another_result(bench):
    before, after = stage_keys(bench), stage_keys(bench, device="cuda")
    assert not set(before.values()) & set(after.values())


def test_parameter_changes_its_own_stages(bench):
    tuned = {"settings": {"purifiers": {"smooth": {"radius": 2}}}}
    before, after = stage_keys(bench), stage_keys(bench, **tuned)
    assert changed(before, after) == {"purify", "exploit", "score"}
    assert before["purify", "copying/ada shift keep"] == after["purify", "copying/ada shift keep"]


def test_settings_within_a_task_change_its_stages_alone(bench):
    tasks, general = ["copying", "crowded"], {"purifiers": {"smooth": {"radius": 3}}}
    own = {**general, "within": {"crowded": {"purifiers": {"smooth": {"radius": 2}}}}}
    before = stage_keys(bench, tasks=tasks, settings=general)
    after = stage_keys(bench, tasks=tasks, settings=own)
    moved = {place for (kind, place), key in before.items() if after[kind, place] != key}
    assert moved
    assert all(place.startswith("crowded/") and "smooth" in place for place in moved)
    plan = make_plan(bench.preset(tasks=tasks, settings=own), Registry())
    radii = {name: part.parameters for name, part in plan.components.items() if "smooth" in name}
    assert radii == {
        "purifier smooth": {"radius": 3}, "purifier smooth in crowded": {"radius": 2}
    }  # fmt: skip


def test_source_of_a_helper_changes_its_users(bench, site):
    before = stage_keys(bench)
    (site / "fake_helper.py").write_text("SCALE = 2.0\n")
    assert "protect" in changed(before, stage_keys(bench))


def test_seed_changes_exploits_only(bench):
    first, second = stage_keys(bench, seeds=[0]), stage_keys(bench, seeds=[1])
    shared = {name for name, key in first.items() if second.get(name) == key}
    assert {kind for kind, _ in shared} == {"original", "protect", "purify"}
    assert not set(first.values()) & set(second.values()) - {first[name] for name in shared}


@pytest.mark.parametrize(
    "change", ["threads", "library", "version", "dependency", "model"], ids=lambda name: name
)
def test_everything_that_matters_is_in_the_key(bench, site, monkeypatch, distribution, change):
    before = stage_keys(bench)
    if change == "threads":
        after = stage_keys(bench, threads=2)
    elif change == "library":
        monkeypatch.setattr(keys, "library_versions", lambda: {"torch": "99"})
        after = stage_keys(bench)
    elif change == "version":
        info = site / "fake_plugins-1.0.dist-info"
        text = (info / "METADATA").read_text().replace("Version: 1.0", "Version: 1.1")
        (info / "METADATA").write_text(text)
        after = stage_keys(bench)
    elif change == "dependency":
        file = site / "fake_plugins-1.0.dist-info" / "METADATA"
        file.write_text(file.read_text() + "Requires-Dist: engine\n")
        before = stage_keys(bench)
        distribution(site, "engine", modules=["fake_engine"])
        after = stage_keys(bench)
    else:
        import fake_world

        monkeypatch.setattr(fake_world.Tiny, "digest", "tiny-2")
        after = stage_keys(bench)
    assert changed(before, after) >= {"protect", "purify", "exploit", "score"}
