"""`TASK[target=MODEL]`: a task that is carried out by another model than its role's."""

import json

import pytest

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.spec import parse_spec

PLAIN, OTHER = "copying", "copying[target=other]"


def test_each_target_exploits_the_same_protected_images(bench):
    result = bench.run(tasks=[PLAIN, OTHER], protections=["clean", "tinted"], purifiers=["keep"])
    assert set(result.cells["task"]) == {PLAIN, OTHER}
    assert set(result.cells["state"]) == {"done"}
    folder = bench.tmp_path / "run"
    log = (folder / "log.txt").read_text()
    assert log.count(" protect ") == 4, "two subjects, each protected twice, for both targets"
    assert log.count(" original ") == 2
    meta = json.loads((folder / "provenance.json").read_text())["boards"]
    assert {caption.partition(":")[0] for caption in meta["figures"].values()} == {
        "ada", "ben", "ada; by other", "ben; by other",
    }  # fmt: skip
    told = json.loads((folder / "provenance.json").read_text())["components"]
    assert told[f"task {OTHER}"]["surrogate"] == "tiny-2"
    assert "surrogate" not in told[f"task {PLAIN}"]


def test_a_target_differs_as_its_role_does(bench):
    """The same stages as of a run whose target it is."""
    here = bench.run(out="here", tasks=[OTHER], protections=["clean"], purifiers=["keep"])
    models = {"protection": "tiny", "purifier": "other", "target": "other"}
    there = bench.run(out="there", protections=["clean"], purifiers=["keep"], models=models)
    assert not [line for line in bench.log("there") if line[0] == "executed"]
    assert here.cells["value"].tolist() == there.cells["value"].tolist()


def test_who_exploits_a_target_purifies_with_it(bench):
    """Unless the purifier names its own."""
    rows = {"protections": ["clean"], "purifiers": ["bleach", "bleach[surrogate=tiny]"]}
    result = bench.run(tasks=[OTHER], **rows)
    assert set(result.cells["state"]) == {"done"}
    near = result.cells.query("metric == 'nearness'").groupby("purifier")["value"].mean()
    assert near["bleach"] < near["bleach[surrogate=tiny]"]


def test_subjects_are_counted_by_task_or_by_target(bench):
    result = bench.run(
        tasks=[PLAIN, OTHER], protections=["clean"], purifiers=["keep"],
        subjects={"copying": 2, OTHER: 1},
    )  # fmt: skip
    assert result.cells.groupby("task")["subject"].nunique().to_dict() == {PLAIN: 2, OTHER: 1}
    alike = bench.run(
        tasks=[PLAIN, OTHER], protections=["clean"], purifiers=["keep"], subjects={"copying": 1}
    )
    assert alike.cells.groupby("task")["subject"].nunique().to_dict() == {PLAIN: 1, OTHER: 1}


def test_an_unknown_target_is_told_before_any_work(bench):
    with pytest.raises(ConfigError, match=r"copying\[target=othr\].*Did you mean: other"):
        bench.run(tasks=["copying[target=othr]"])


def test_a_task_cannot_call_a_parameter_so(registry, site):
    world = (site / "fake_world.py").read_text()
    (site / "fake_world.py").write_text(world.replace("size: int = 8", "target: int = 8"))
    with pytest.raises(PluginError, match="has a parameter 'target', which"):
        registry.resolve("tasks", parse_spec("copying"))
