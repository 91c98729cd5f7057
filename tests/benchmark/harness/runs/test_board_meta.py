"""What boards need of a run: from a plan, and from results that were stored before titles were."""

import json
from pathlib import Path

import pytest

from impress_bench.benchmark.contract import Budget
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.board_meta import board_meta, read_meta
from impress_bench.benchmark.harness.runs.merge import united

PAPER = Path(__file__).parents[4] / "leaderboard/results/paper/provenance.json"


def test_plugins_declare_what_boards_call_them(bench):
    preset = bench.preset(metrics=["gap"], display={"titles": {"keep": "Nothing at all"}})
    meta = board_meta(make_plan(preset, Registry()))
    assert meta.titles["control:blank"] == "A blank canvas"
    assert meta.titles["keep"] == "Nothing at all"
    assert meta.titles["smooth"] == "Smooth"
    assert [metric.title for metric in meta.metrics["copying"]] == ["Nearness", "Spread", "The gap"]
    assert "clean-lpips" in {measure.name for measure in meta.inspections}
    assert all(measure.title != measure.name for measure in meta.inspections)  # boards show it


def test_budgets_of_lpips_are_those_of_our_protections(bench, monkeypatch):
    """Other people's protections are not asked here, and a bound of L-infinity is none of LPIPS."""
    monkeypatch.setattr("fake_plugins.Shift.budget", Budget(lpips=0.3), raising=False)
    rows = ["clean", "shift", "glaze[p=0.2]", "glaze+o-pgd", "mist"]
    meta = board_meta(make_plan(bench.preset(protections=rows), Registry()))
    assert meta.lpips_budgets == {"glaze[p=0.2]": 0.2, "glaze+o-pgd": 0.05, "glaze": 0.05}
    other = meta.model_copy(update={"lpips_budgets": {"other": 0.3}})
    assert united([meta, other]).lpips_budgets == {**meta.lpips_budgets, "other": 0.3}


@pytest.mark.parametrize(
    ("display", "complaint"),
    [
        ({"titels": {}}, "display: Unknown key 'titels'. Did you mean: titles"),
        ({"roles": {"cleen": "x"}}, "display.roles: Unknown key 'cleen'. Did you mean: clean"),
        ({"model_note": 3}, "model_note: Input should be a valid string"),
    ],
)
def test_a_wrong_key_of_display_is_named(bench, display, complaint):
    with pytest.raises(ConfigError, match=complaint):
        board_meta(make_plan(bench.preset(display=display), Registry()))


def test_results_without_titles_get_those_of_todays_plugins():
    document = json.loads(PAPER.read_bytes())
    for added_later in ("titles", "about"):
        document["boards"].pop(added_later, None)
    for origin in document["parts"]:
        origin["components"]["protection theirs"] = {"distribution": "theirs", "target": "os:x"}
        origin["components"]["protection gone"] = {"distribution": "impress-bench", "target": "x:y"}
    meta = read_meta(document)
    expected = {
        "glaze": "GLAZE", "o-pgd": "O-PGD", "jpeg": "JPG", "style-mimicry": "Style mimicry",
        "control:no-fine-tuning": "No fine-tuning", "gone": "Gone",
    }  # fmt: skip
    assert {name: meta.titles[name] for name in expected} == expected
    assert "theirs" not in meta.titles
    assert meta.about["purifier jpeg"].startswith("Compresses")
    assert not {"protection theirs", "protection gone"} & set(meta.about)
    assert "own-style" in {measure.name for measure in meta.inspections}
    assert read_meta({"boards": meta.stored()}) == meta
