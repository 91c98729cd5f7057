"""`surrogate=MODEL`: a protection or purifier that holds another model than its role's, and models
that one holds beside it."""

import json

import pytest

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.spec import parse_spec

BOTH = {"protections": ["tinted", "tinted[surrogate=other]"], "purifiers": ["keep"]}


def moved(result):
    """How far a protection moved an image, in levels."""
    linf = result.protections.groupby("protection")["linf"].max() * 255
    return linf.round(3).to_dict()


def test_each_row_is_made_with_the_model_it_names(bench):
    result = bench.run(**BOTH)
    assert moved(result) == {"tinted": 1, "tinted[surrogate=other]": 2}
    assert set(result.cells["state"]) == {"done"}


def test_the_same_model_by_another_way_is_the_same_result(bench):
    """A role's model and a surrogate of that name share their stages."""
    named = bench.run(out="named", protections=["tinted[surrogate=other]"], purifiers=["keep"])
    models = {"protection": "other", "purifier": "tiny", "target": "tiny"}
    meant = bench.run(out="meant", protections=["tinted"], purifiers=["keep"], models=models)
    assert moved(meant) == {"tinted": 2}
    assert not [line for line in bench.log("meant") if line[0] == "executed"]
    assert named.stages["executed"] == meant.stages["reused"]


def test_a_purifier_and_what_is_matched_hold_theirs(bench):
    result = bench.run(
        protections=["clean", "matched[match=tinted[surrogate=other]]"],
        purifiers=["keep", "bleach", "bleach[surrogate=other]>keep"],
    )
    assert moved(result)["matched[match=tinted[surrogate=other]]"] == 1
    clean = result.cells.query("protection == 'clean' and metric == 'nearness'")
    scores = clean.groupby("purifier")["value"].mean()
    assert scores["keep"] > scores["bleach"] > scores["bleach[surrogate=other]>keep"]


def test_settings_may_name_it_and_provenance_tells_its_weights(bench):
    bench.run(protections=["tinted"], settings={"protections": {"tinted": {"surrogate": "other"}}})
    told = json.loads((bench.tmp_path / "run" / "provenance.json").read_text())
    assert told["components"]["protection tinted"]["surrogate"] == "tiny-2"
    assert "surrogate" not in told["components"]["purifier keep"]
    assert moved(bench.run(out="plain", protections=["tinted"])) == {"tinted": 1}


@pytest.mark.parametrize(
    ("group", "text", "complaint"),
    [
        ("purifiers", "keep>bleach[surrogate=other]", "a chain holds one model"),
        ("protections", "shift+halved[through=smooth[surrogate=other]]", "this is a part of"),
        ("metrics", "gap[surrogate=other]", "surrogate"),
    ],
)
def test_where_none_can_be_named(registry, group, text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        registry.resolve(group, parse_spec(text))


def test_a_plugin_cannot_call_a_parameter_so(registry):
    with pytest.raises(PluginError, match="has a parameter 'surrogate', which"):
        registry.resolve("protections", parse_spec("selfish"))


def test_an_unknown_model_is_told_before_any_work(bench):
    with pytest.raises(ConfigError, match=r"tinted\[surrogate=othr\].*Did you mean: other"):
        bench.run(protections=["tinted[surrogate=othr]"])


TWO = "tinted+joined[models=other]"


def test_further_models_are_loaded_for_who_names_them(bench):
    """Nested in what another protection requires too."""
    levels = {
        "tinted": 1,
        TWO: 1 + 2,
        "tinted[surrogate=other]+joined[models=third tiny]": 2 + 4 + 1,
        f"matched[match={TWO}]": 2,  # half of 3, rounded
    }
    result = bench.run(protections=[*levels], purifiers=["keep"])
    assert moved(result) == levels
    assert set(result.cells["state"]) == {"done"}


def test_their_weights_are_part_of_the_key_and_of_the_provenance(bench, monkeypatch):
    import fake_world

    plain = bench.run(protections=[TWO], purifiers=["keep"])
    told = json.loads((bench.tmp_path / "run" / "provenance.json").read_text())
    assert told["components"][f"protection {TWO}"]["further_models"] == {"other": "tiny-2"}
    assert "further_models" not in told["components"]["purifier keep"]
    again = bench.run(out="again", protections=[TWO], purifiers=["keep"])
    assert again.stages == {"reused": plain.stages["executed"]}
    monkeypatch.setattr(fake_world.Other, "digest", "tiny-3")
    other = bench.run(out="other", protections=[TWO], purifiers=["keep"])
    assert moved(other) == {TWO: 4}


def test_keys_of_what_names_none_say_nothing_of_them(bench):
    plan = make_plan(bench.preset(protections=["tinted", TWO]), Registry())
    parts = {
        stage.place.protection: stage.parts()
        for stage in plan.stages.values()
        if stage.kind == "protect"
    }
    assert set(parts["tinted"]) == {"component", "model"}
    assert set(parts[TWO]) == {"component", "model", "further models"}


def test_a_process_of_its_own_gets_them_too(bench):
    result = bench.run(protections=[TWO], purifiers=["keep"], subjects=1, isolate=True)
    assert moved(result) == {TWO: 3}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tinted+joined[models=tiny]", "tiny is one of its models already; leave it out"),
        ("tinted+joined[models=again]", "again, which is tiny, is one of its models already"),
        ("tinted[surrogate=other]+joined[models=other]", "other is one of its models already"),
        ("tinted+joined[models=othr]", r"joined\[models=othr\]: models: .*Did you mean: other"),
        ("tinted+joined[models=./gone/away]", "neither a folder"),
        ("tinted+joined[models='other other']", "models names 'other' twice"),
        ('tinted+joined[models="other \'tiny"]', "No closing quotation"),
    ],
)
def test_further_models_that_cannot_be_are_told_before_any_work(bench, text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        bench.run(protections=[text])
