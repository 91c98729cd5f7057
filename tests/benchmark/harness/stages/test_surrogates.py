"""`surrogate=MODEL`: a protection or purifier that holds another model than its role's."""

import json

import pytest

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
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
