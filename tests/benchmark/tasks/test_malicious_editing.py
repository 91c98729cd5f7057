"""Malicious editing: what is edited, what is compared, and what its controls change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sewar

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.tasks.malicious_editing import (
    MaliciousEditing,
    MaliciousEditingSettings,
)


def silent(done, total):
    pass


@pytest.fixture(scope="module")
def task():
    return MaliciousEditing(MaliciousEditingSettings(sampling_steps=2, guidance_scale=2.0))


@pytest.fixture(scope="module")
def model():
    return load_model("atelier")


def test_test_and_validation_photos_are_apart_and_new_to_every_model(task):
    validation = MaliciousEditing(MaliciousEditingSettings(split="validation"))
    assert len(task.subjects()) == 24
    assert len(validation.subjects()) == 8
    photos = [t.originals(name) for t in (task, validation) for name in t.subjects()]
    assert len({photo.images.tobytes() for photo in photos}) == 32
    titles = {photo.titles[0] for photo in photos}
    learned = world.paintings(world.artists(movement="photography")[0], "pretrain", 40)
    assert not titles & {work.title for work in learned}
    for photo in photos:
        assert photo.masks.shape == photo.images.shape[:3]
        assert 0.02 < photo.masks.mean() < 0.5


def test_photos_are_moved_to_another_place(task, model, monkeypatch):
    prompts = []
    monkeypatch.setattr(
        type(model),
        "repaint",
        lambda model, images, keep, given, *rest, **more: (prompts.extend(given), images)[1],
    )
    for subject in task.subjects():
        edit = task.exploit(subject, task.originals(subject), model, 0, silent)
        assert edit.titles == (prompts[-1],)
    places = set()
    for subject, prompt in zip(task.subjects(), prompts, strict=True):
        title = task.originals(subject).titles[0]
        place = next(place for place in world.BACKGROUNDS if prompt.endswith(place))
        assert prompt.removesuffix(place) == title[: len(prompt) - len(place)]
        assert not title.endswith(place)
        places.add(place)
    assert len(places) >= 8


def test_controls_change_the_noise_and_the_head(task, model):
    subject = task.subjects()[0]
    originals = task.originals(subject)
    edit, again = (task.exploit(subject, originals, model, 5, silent) for _ in range(2))
    assert np.array_equal(edit.images, again.images)
    assert edit.names == originals.names
    controls = {c: task.exploit(subject, originals, model, 5, silent, c) for c in task.controls}
    keep = originals.masks[0]
    grey = originals.images.copy()
    grey[0][keep] = 128
    by_hand = task.exploit(subject, replace(originals, images=grey), model, 5, silent)
    assert np.array_equal(controls["grey-head"].images, by_hand.images)
    assert not np.array_equal(controls["grey-head"].images, edit.images)
    assert not np.array_equal(controls["other-seed"].images, edit.images)


def test_scores_are_sewar_s_raw_and_behind_the_head(task):
    subject = task.subjects()[3]
    photo = task.originals(subject)
    draw = np.random.default_rng(0)
    made = np.clip(photo.images + draw.normal(0, 20, photo.images.shape), 0, 255).astype(np.uint8)
    scores = task.score(subject, replace(photo, images=made), photo)
    behind = made[0].copy()
    behind[photo.masks[0]] = photo.images[0][photo.masks[0]]
    for suffix, image in {"": made[0], "-background": behind}.items():
        truth = photo.images[0]
        assert scores["ssim" + suffix] == pytest.approx(sewar.ssim(truth, image)[0], abs=1e-5)
        assert scores["psnr" + suffix] == pytest.approx(sewar.psnr(truth, image), abs=1e-4)
        assert scores["vif-p" + suffix] == pytest.approx(sewar.vifp(truth, image), abs=1e-5)
    assert set(scores) == {metric.name for metric in task.metrics}


def test_an_edit_is_not_compared_with_itself(task):
    subject = task.subjects()[0]
    photo = task.originals(subject)
    with pytest.raises(PluginError) as caught:
        task.score(subject, photo, photo)
    assert caught.value.state is State.SKIPPED
