"""Which runs of shipped presets can be compared: by what their cells depend on, not by names."""

from copy import deepcopy

import pytest

from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.folder import difference
from impress_bench.benchmark.harness.runs.provenance import provenance


def planned(name, **values):
    return provenance(make_plan(load_preset(name).override({}, **values), Registry()))


@pytest.fixture(scope="module")
def submission():
    return planned("submission")


def unlike(one, other):
    return difference(one, other, remarks=False)


@pytest.mark.parametrize("name", ["mini", "transfer"])
def test_a_submission_is_measured_as_what_it_stands_beside(submission, name):
    published = planned(name)
    assert unlike(submission, published) == ""
    assert difference(submission, published) == f"preset.name: submission and {name}"


def test_a_submission_has_the_seeds_purifiers_and_subjects_of_mini():
    one, other = load_preset("submission"), load_preset("mini")
    assert one.seeds == other.seeds
    assert one.purifiers == other.purifiers
    assert set(one.protections) <= set(other.protections)
    assert all(count <= other.subjects for count in one.subjects.values())


def test_tasks_that_were_set_otherwise_are_named(submission):
    assert unlike(submission, planned("quick")).startswith("task style-mimicry.parameters.split: ")


def test_settings_count_where_both_ran_what_they_set(submission):
    """By the task that they hold in: provenance names a plugin once where a task sets nothing."""
    settings = load_preset("submission").settings.model_dump(mode="json")
    mist = deepcopy(settings)
    mist["protections"]["mist"] = {"steps": 3}
    assert unlike(submission, planned("submission", settings=mist)) == ""
    told = "purifier impress in style-mimicry.parameters.lr: 0.03 and 0.13"
    general = planned("submission", settings={**settings, "within": {}})
    assert "purifier impress in style-mimicry" not in general["components"]
    assert unlike(submission, general) == told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("models", "target", "digest"), "models.target.digest"),
        (("pack",), "pack"),
        (("components", "task malicious-editing", "source"), "task malicious-editing.source"),
        (("components", "purifier jpeg", "parameters"), "purifier jpeg.parameters"),
        (("preset", "threads"), "preset.threads"),
        (("preset", "numerics", "checkpointing"), "preset.numerics.checkpointing"),
    ],
)
def test_what_cells_depend_on_is_named(submission, path, told):
    other = deepcopy(submission)
    *way, last = path
    place = other
    for key in way:
        place = place[key]
    place[last] = {"quality": 3} if last == "parameters" else 7 if last == "threads" else (
        True if last == "checkpointing" else "0" * 64
    )  # fmt: skip
    assert unlike(submission, other).startswith(told)
