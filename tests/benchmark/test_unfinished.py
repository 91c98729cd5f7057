"""Work that was cut short goes on where it was, and makes what it would have made undisturbed."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from impress_bench.benchmark import load_model, unfinished
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.models.fine_tuning import fine_tune
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.unfinished import Unfinished


class Cut(KeyboardInterrupt):
    pass


class Progress:
    """Counts calls, and interrupts at one of them."""

    def __init__(self, until=None):
        self.until, self.calls = until, 0

    def __call__(self, done, total):
        self.calls += 1
        if self.calls == self.until:
            raise Cut


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_fine_tuning_goes_on(model, smooth_images, tmp_path, lora_rank):
    if lora_rank:
        pytest.importorskip("peft")

    def weights(progress, folder=None):
        learned = fine_tune(
            model, smooth_images(3, 64), ["a hill", "a cow", "a pear"], steps=5, lr=1e-3,
            batch_size=2, lora_rank=lora_rank, generator=torch.Generator().manual_seed(3),
            progress=progress, unfinished=Unfinished(folder, every_s=0),
        )  # fmt: skip
        return torch.cat([weight.flatten() for weight in learned.denoiser.parameters()])

    undisturbed, rest = weights(Progress()), Progress()
    with pytest.raises(Cut):
        weights(Progress(until=3), tmp_path)
    assert torch.equal(weights(rest, tmp_path), undisturbed)
    assert rest.calls == 2
    done = Progress()  # what is kept at the end holds when painting is cut short later
    assert torch.equal(weights(done, tmp_path), undisturbed)
    assert done.calls == 0


def test_painting_goes_on(model, tmp_path):
    prompts = ["a hill", "a cow", "a pear", "a ship", "a tower"]

    def painted(progress, folder=None):
        return paint(
            model, prompts, torch.Generator().manual_seed(1), steps=2, guidance_scale=3.0,
            batch_size=2, progress=progress, unfinished=Unfinished(folder, every_s=0),
        )  # fmt: skip

    undisturbed, rest = painted(Progress()), Progress()
    with pytest.raises(Cut):
        painted(Progress(until=2), tmp_path)
    assert torch.equal(painted(rest, tmp_path), undisturbed)
    assert rest.calls == 1


def test_encoding_before_fine_tuning_takes_a_part_at_a_time(model, smooth_images, monkeypatch):
    seen, encode = [], type(model).posterior
    monkeypatch.setattr(
        type(model),
        "posterior",
        lambda self, images: seen.append(len(images)) or encode(self, images),
    )
    fine_tune(
        model, smooth_images(3, 64), ["a"] * 3, steps=1, lr=1e-3, batch_size=2, microbatch=2,
        generator=torch.Generator(),
    )  # fmt: skip
    assert seen == [2, 1]


@pytest.fixture
def mimic():
    """One mimic of one artist, of a few steps, and its controls."""
    return load_preset("quick").override(
        {},
        tasks=["style-mimicry"],
        protections=["identity"],
        purifiers=["none"],
        inspections=False,
        settings={
            "tasks": {
                "style-mimicry": {
                    "split": "validation", "works": 2, "samples": 4, "fine_tuning_steps": 4,
                    "fine_tuning_batch": 2, "sampling_steps": 2, "sampling_batch": 2,
                    "judging": {"diffusion_images": 0},
                }
            }
        },
    )  # fmt: skip


def interrupted_in_painting(env, done, total):
    """Progress of a stage that has learned, and painted a part of its works."""
    states = list(env.unfinished.folder.glob("*.pt"))
    if {"fine-tuning", "painting"} <= {path.stem for path in states}:
        raise Cut


def test_a_run_goes_on_within_a_stage(mimic, tmp_path, monkeypatch):
    """Interrupted while it paints, a run neither learns again nor paints again what it had, stores
    the same results and counts what both attempts took."""
    whole = run(mimic, tmp_path / "whole", tmp_path / "store-1", workers=1)
    monkeypatch.setattr(unfinished, "EVERY_S", 0.0)
    monkeypatch.setattr(Environment, "progress", interrupted_in_painting)
    with pytest.raises(KeyboardInterrupt):
        run(mimic, tmp_path / "run", tmp_path / "store-2", workers=1)
    store = Store(tmp_path / "store-2")
    (left,) = (store.root / "unfinished").iterdir()
    assert {path.stem for path in left.iterdir()} == {"fine-tuning", "painting", "spent"}
    monkeypatch.undo()
    again = run(mimic, tmp_path / "run", tmp_path / "store-2", workers=1)
    assert not list((store.root / "unfinished").iterdir())
    assert again.cells.equals(whole.cells)
    for stage in make_plan(mimic, Registry()).stages.values():
        one, other = Store(tmp_path / "store-1").find(stage.key), store.find(stage.key)
        assert one.files == other.files
        passes = Counter(one.passes)
        if stage.key == left.name:
            passes["encoder forward"] *= 2  # each attempt encodes what it learns
        assert passes == other.passes


def test_what_is_damaged_or_cannot_be_written_costs_no_stage(tmp_path):
    kept = Unfinished(tmp_path / "here", every_s=0)
    assert kept.due
    assert not kept.kept
    kept.keep("state", {"a": torch.ones(2), "b": [1, "two"]})
    assert kept.kept
    assert torch.equal(kept.resume("state")["a"], torch.ones(2))
    (tmp_path / "here" / "state.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.warns(UserWarning, match="is damaged"):
        assert kept.resume("state") is None
    kept.discard()
    assert not (tmp_path / "here").exists()
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="unfinished work is not kept"):
        Unfinished(tmp_path / "file" / "folder").keep("state", 1)


def test_nothing_is_kept_without_a_folder_or_before_it_is_due(tmp_path):
    nowhere = Unfinished(every_s=0)
    assert not nowhere.due
    nowhere.keep("state", 1)
    assert nowhere.resume("state") is None
    assert not Unfinished(tmp_path / "here").due


def test_the_cost_of_all_attempts_is_counted(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(unfinished.time, "monotonic", lambda: now[0])
    first = Unfinished(tmp_path / "a", taken=lambda: {"denoiser forward": 7, "decoder": 1})
    now[0] += 20
    first.keep("state", 0)
    second = Unfinished(tmp_path / "a", taken=lambda: {"denoiser forward": 2})
    now[0] += 30
    assert second.seconds == 20
    assert second.all_passes() == {"denoiser forward": 9, "decoder": 1}
    second.keep("state", 1)
    assert Unfinished(tmp_path / "a").seconds == 50
