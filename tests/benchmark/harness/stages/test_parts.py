"""Images asked about a part at a time: the same answer as together, none of it lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.execution.stage_runner import StageRunner
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.stages.asking import Moved, Question, ask
from impress_bench.benchmark.harness.stages.parts import ask_in_parts, slices
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.pixels import to_pixels
from impress_bench.benchmark.spec import parse_spec
from impress_bench.benchmark.unfinished import Unfinished


@pytest.fixture
def images(smooth_images):
    count = 5
    pixels = to_pixels(smooth_images(count, 64))
    masks = np.zeros((count, 64, 64), bool)
    masks[:, :, :32] = True
    names = tuple("abcde")
    return ImageSet(pixels, names, tuple(f"a work called {name}" for name in names), masks)


def question(group, spec, images):
    component = Registry().resolve(group, parse_spec(spec))
    shown = images if group == "protections" else ImageSet(images.images, images.names)
    required = {name: Moved(images, dict.fromkeys(("linf", "l2", "lpips"), [0.0] * 5))
                for name in component.requires}  # fmt: skip
    return Question(component, shown, seed=7, subject="someone", results=required)


def answered(asked, at_once, unfinished=None, until=None):
    """The answer, and how many images each call got; `until`: interrupted at that call."""
    model, sizes = load_model("atelier"), []

    def ask_one(part, progress):
        sizes.append(len(part.images.names))
        if len(sizes) == until:
            raise KeyboardInterrupt
        return ask(part, model, "cpu", progress)

    steps = []
    answer = ask_in_parts(
        asked, ask_one, at_once, unfinished or Unfinished(), lambda *step: steps.append(step)
    )
    assert all(done <= total for done, total in steps)
    return answer, sizes


@pytest.mark.parametrize(
    ("group", "spec", "differ"),
    [
        ("protections", "random-noise", 0),
        ("protections", "photoguard-encoder[steps=2]", 0.001),
        ("protections", "photoguard-encoder[steps=2]+o-pgd[steps=2]", 0.001),
        ("purifiers", "gaussian-noise", 0),
        ("purifiers", "impress[steps=2]", 0.01),
        ("purifiers", "gaussian-noise>jpeg", 0),
    ],
)
def test_images_are_the_same_however_they_are_cut(group, spec, differ, images):
    """Convolutions sum in another order for another batch: a few values may round otherwise."""
    asked = question(group, spec, images)
    whole, (count,) = answered(asked, None)
    parts, sizes = answered(asked, 2)
    assert (count, sizes) == (5, [2, 2, 1])
    assert parts.images.names == whole.images.names
    assert parts.images.titles == whole.images.titles
    assert (parts.budget, parts.reason) == (whole.budget, whole.reason)
    assert np.mean(parts.images.images != whole.images.images) <= differ
    if whole.lpips is not None:
        assert parts.lpips == pytest.approx(whole.lpips, abs=1e-3)


@pytest.mark.parametrize("spec", ["aspl", "aspl+blurguard", "partial[of=fsmg]"])
def test_what_needs_all_images_gets_all(spec, images):
    assert question("protections", spec, images).component.granularity == "subject"
    assert question("purifiers", "jpeg>auto", images).component.granularity == "subject"
    sizes = []
    ask_in_parts(
        question("protections", spec, images),
        lambda part, progress: sizes.append(len(part.images.names)),
        2,
        Unfinished(),
        lambda done, total: None,
    )
    assert sizes == [5]


def test_parts_that_were_answered_are_not_asked_again(images, tmp_path):
    asked = question("protections", "random-noise", images)
    whole, _ = answered(asked, 2)
    with pytest.raises(KeyboardInterrupt):
        answered(asked, 2, Unfinished(tmp_path, every_s=0), until=3)
    again, sizes = answered(asked, 2, Unfinished(tmp_path, every_s=0))
    assert sizes == [1]
    assert np.array_equal(again.images.images, whole.images.images)
    assert np.array_equal(again.images.masks, images.masks)
    assert again.images.titles == images.titles
    assert (again.budget, again.lpips, again.notes) == (whole.budget, whole.lpips, whole.notes)


def test_slices_cover_all_images_once():
    assert [list(range(5))[part] for part in slices(5, 2)] == [[0, 1], [2, 3], [4]]
    assert list(slices(5, None)) == [slice(0, 5)]
    assert list(slices(0, 2)) == []


@pytest.mark.parametrize("isolate", [False, True])
def test_a_preset_limits_what_plugins_get(bench, isolate):
    """Of ours and of others', in this process and apart. Results have keys of their own, since a
    sum in another order may end in another digit."""
    values = {"protections": ["tinted"], "purifiers": ["noting"], "subjects": 1, "isolate": isolate}
    whole = bench.run("whole", **values)
    parts = bench.run("parts", images_at_once=1, **values)
    assert parts.cells.equals(whole.cells)
    assert {verb for verb, _ in bench.log("parts")} == {"executed"}
    notes = [pd.read_parquet(one.out / "notes.parquet") for one in (whole, parts)]
    assert notes[0].equals(notes[1])
    assert len(notes[0]) > 1


def test_an_inspection_takes_no_more_images_together(tmp_path, monkeypatch):
    model = load_model("atelier")
    reconstruct, seen = type(model).reconstruct, []

    def counted(self, images, *arguments, **named):
        seen.append(len(images))
        return reconstruct(self, images, *arguments, **named)

    monkeypatch.setattr(type(model), "reconstruct", counted)
    preset = load_preset("quick").override(
        {}, tasks=["style-mimicry"], protections=["identity"], purifiers=["none"]
    )
    found = []
    for at_once in (None, 2):
        limited = preset.override({}, images_at_once=at_once)
        runner, stage = StageRunner(Store(tmp_path), limited), None
        for stage in make_plan(limited, Registry()).stages.values():
            if stage.kind == "inspect":
                break
            if stage.kind in ("original", "protect", "purify"):
                runner.run(stage)
        del seen[:]
        found.append(runner.run(stage).record["measures"])
        assert max(seen) == (at_once or 5)
    for name, values in found[0].items():
        assert found[1][name] == pytest.approx(values, rel=1e-3)
