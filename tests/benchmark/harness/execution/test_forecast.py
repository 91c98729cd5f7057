"""What a run will do and how long it will take, held against what it then took."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.execution.timings import Probe, Timings
from impress_bench.benchmark.harness.planning import spreads
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.planning.spreads import Spread
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.reports import forecast_run
from impress_bench.benchmark.harness.stages.base import Place, Scene, Stage
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.metric import MetricInfo

IMAGES = ImageSet(np.zeros((1, 8, 8, 3), np.uint8), ("one",))


class Clock:
    """Time passes when somebody says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False, kw_only=True)
class Slow(Stage):
    """Takes `setup` seconds, then `steps` steps of `pace` seconds each, each reported."""

    kind = "slow"
    clock: Clock
    setup: float = 3.0
    pace: float = 2.0
    steps: int = 500

    @property
    def component(self):
        return "slow one"

    def parts(self):
        return {}

    def run(self, inputs, env):
        self.clock.now += self.setup
        for step in range(self.steps):
            self.clock.now += self.pace
            env.progress(step + 1, self.steps)
        return Result(IMAGES)


def stage(clock, **more):
    component = Component("task", "t", "t", "t:t", "d", "1", "s", {})
    return Slow(
        place=Place("t", "s"), scene=Scene(component, "t", "s", 1), clock=clock, **more,
    )  # fmt: skip


def test_the_beginning_tells_the_whole():
    clock = Clock()
    probe = Probe({}, patience=10.0, clock=clock)
    assert probe.seconds(stage(clock), stage(clock)) == pytest.approx(3 + 500 * 2)
    assert clock.now < 20


def test_a_quick_stage_is_run_to_its_end():
    clock = Clock()
    probe = Probe({}, patience=10.0, clock=clock)
    assert probe.seconds(stage(clock, steps=2), stage(clock)) == pytest.approx(7)


def test_what_the_first_of_a_kind_loads_is_not_counted_for_all():
    """Such as a judge's networks: 40 s once, and 2 s per stage."""
    clock = Clock()

    class Loading(Slow):
        loaded = False

        def run(self, inputs, env):
            self.clock.now += 2 if self.loaded else 42
            type(self).loaded = True
            return Result(IMAGES)

    component = Component("task", "t", "t", "t:t", "d", "1", "s", {})
    one = Loading(place=Place("t", "s"), scene=Scene(component, "t", "s", 1), clock=clock)
    assert Probe({}, patience=10.0, clock=clock).seconds(one, stage(clock)) == pytest.approx(2)


def test_a_forecast_comes_true(bench, monkeypatch):
    """Within a quarter, on a matrix whose exploits take 0.2 s each."""
    monkeypatch.setenv("FAKE_DELAY", "0.2")
    guess = forecast_run(bench.preset(), bench.store, patience=5.0, workers=1)
    assert guess.cells_done == 0
    assert guess.unknown == 0
    result = bench.run()
    costs = json.loads((result.out / "costs.json").read_text())["kinds"]
    assert sum(item.stages for item in guess.work) == result.stages["executed"]
    assert guess.seconds == pytest.approx(sum(k["seconds"] for k in costs.values()), rel=0.25)
    assert guess.seconds > 1.5
    assert replace(guess, workers=2).seconds == guess.seconds / 2


def test_what_is_stored_needs_no_time(bench):
    bench.run(protections=["clean"])
    half = forecast_run(bench.preset(), bench.store, patience=0)
    assert 0 < half.cells_done < half.cells
    assert half.unknown == 2  # the protection `shift` of two subjects; all else has been timed
    bench.run()
    whole = forecast_run(bench.preset(), bench.store, patience=0)
    assert whole.cells_done == whole.cells
    assert whole.seconds == 0
    assert f"{whole.cells} cells, {whole.cells} of them stored" in whole.lines()[-1]


def test_a_forecast_runs_nothing_of_the_plan(bench):
    forecast_run(bench.preset(), bench.store, patience=1.0)
    assert not list((bench.store / "objects").iterdir())
    told = forecast_run(bench.preset(), bench.store, patience=0)
    assert told.unknown == sum(item.stages for item in told.work)
    assert "stages of unknown duration" in told.lines()[-1]
    assert told.as_dict()["cells"] == {"all": told.cells, "stored": 0}


#: Seconds of one stage of each kind, GPUs that it asks for, and how many the matrix below has.
ON_GPU = {
    "original": (36.0, 1.0, 2),
    "protect": (3600.0, 0.5, 2 * 2),
    "purify": (180.0, 1.0, 2 * 2 * 2),
    "exploit": (7200.0, 2.0, 2 * (2 * 2 + 2)),  # and the control, and the clean reference
    "score": (1.0, 0.0, 2 * (2 * 2 + 1)),
}
RESOURCES = {
    "protect": {"gpus": 0.5}, "exploit": {"gpus": 2}, "score": {"gpus": 0},
    "purify": {"memory_gb": 8},
}  # fmt: skip


def timed(bench, kinds, **values):
    """A preset, and in the store the times of its stages of these kinds."""
    preset = bench.preset(**values)
    for stage in make_plan(preset, Registry()).stages.values():
        if stage.kind in kinds:
            Timings(bench.store).record(stage, ON_GPU[stage.kind][0])
    return preset


def test_gpu_hours_are_those_of_the_gpus_asked_for(bench):
    """However many workers share them: half a GPU for an hour is half a GPU-hour."""
    preset = timed(bench, ON_GPU, device="cuda", resources=RESOURCES)
    expected = sum(seconds * gpus * count for seconds, gpus, count in ON_GPU.values()) / 3600
    for workers in (1, 4):
        told = forecast_run(preset, bench.store, patience=0, workers=workers)
        assert told.as_dict()["gpu_hours"] == pytest.approx(expected)
        assert told.lines()[-1].endswith(f"{expected:.2f} GPU-hours.")
    assert told.seconds == pytest.approx(sum(s * count for s, _, count in ON_GPU.values()) / 4)


def test_gpu_hours_leave_out_what_nobody_knows(bench):
    """And say so; a preset that says nothing of GPUs takes one for every stage."""
    preset = timed(bench, ["exploit"], device="cuda")
    told = forecast_run(preset, bench.store, patience=0, workers=1)
    assert told.gpu_hours == pytest.approx(12 * 2.0)
    assert told.unknown == 2 + 4 + 8 + 10
    last = told.lines()[-1]
    assert last.endswith("for 1 worker, 24.00 GPU-hours, and 24 stages of unknown duration.")


def test_without_the_gpu_of_a_preset_nothing_is_timed(bench, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    notes = []
    told = forecast_run(bench.preset(device="cuda"), bench.store, notify=notes.append)
    assert told.unknown == sum(item.stages for item in told.work)
    (note,) = notes
    assert note.startswith("nothing is timed: torch sees no GPU")


def test_cells_that_will_fail_are_told(bench):
    """Their rows were not there, and `run` told of them at the end."""
    notes = []
    preset = bench.preset(protections=["clean", "absent", "matched[match=absent]"])
    forecast_run(preset, bench.store, patience=0, notify=notes.append)
    broken, requiring = notes
    cells = make_plan(preset, Registry()).cells
    count = sum(cell.place.protection == "absent" for cell in cells)
    assert broken.startswith(
        f"{count} of {len(cells)} cells will fail: protection absent: could not"
    )
    expected = "will fail: protection matched[match=absent]: requires absent, which failed: "
    assert expected in requiring


def test_what_so_many_subjects_can_find_is_told(bench):
    told = forecast_run(bench.preset(subjects=3), bench.store, patience=0)
    power = told.as_dict()["power"]["copying"]
    assert power == {"subjects": 3, "detectable_sd": pytest.approx(3.26, abs=0.01)}
    assert told.lines()[-2] == (
        "copying: with 3 subjects, differences of 3.3 of their standard deviations are found in"
        " four of five runs."
    )
    alone = forecast_run(bench.preset(subjects=1), bench.store, patience=0)
    assert alone.lines()[-2] == "copying: 1 subject, from which nothing can be concluded."


def test_power_is_told_in_units_where_it_is_published_how_subjects_differ(bench, monkeypatch):
    world = importlib.import_module("fake_world")
    nearness = MetricInfo("nearness", "Nearness", True, "dB", primary=True)
    monkeypatch.setattr(world.Copying, "metrics", (nearness, *world.Copying.metrics[1:]))
    known = [
        Spread("mini", "tiny", "copying", "nearness", "shift", 6, 9.0),
        Spread("paper", "tiny", "copying", "nearness", "clean", 24, 1.5),
        Spread("paper", "tiny", "copying", "nearness", "shift", 24, 2.5),
        Spread("paper", "other", "copying", "nearness", "shift", 99, 7.0),
        Spread("paper", "tiny", "copying", "spread", "shift", 99, 7.0),
    ]
    monkeypatch.setattr(spreads, "_read", lambda: known)
    told = forecast_run(bench.preset(subjects=3), bench.store, patience=0)
    power = told.as_dict()["power"]["copying"]
    assert (power["metric"], power["as_published"]) == ("nearness", "paper")
    # By scipy's test of simulated runs: four of five find the effect.
    runs = np.random.default_rng(0).normal(power["detectable"], 2.5, (20_000, 3))
    found = stats.ttest_1samp(runs, 0, axis=1)
    assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) == pytest.approx(0.8, abs=0.015)
    assert told.lines()[-2] == (
        f"copying: with 3 subjects, an effect of {power['detectable']:.2f} dB in Nearness would be"
        " found in four of five runs, if subjects differ as in the published `paper`."
    )
    other = forecast_run(bench.preset(subjects=3, models={"target": "third"}), bench.store, 0)
    assert set(other.as_dict()["power"]["copying"]) == {"subjects", "detectable_sd"}
    alone = forecast_run(bench.preset(subjects=1), bench.store, patience=0)
    assert alone.lines()[-2] == "copying: 1 subject, from which nothing can be concluded."


def test_on_the_cpu_there_are_no_gpu_hours(bench):
    preset = timed(bench, ON_GPU, resources=RESOURCES)
    told = forecast_run(preset, bench.store, patience=0, workers=1)
    assert told.seconds > 0
    assert told.as_dict()["gpu_hours"] is None
    assert "GPU" not in told.lines()[-1]
