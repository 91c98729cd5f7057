"""How images are exploited, on every family: fine-tuning and painting, editing, and
redrawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.tasks.img2img_editing import Img2ImgEditing, Img2ImgEditingSettings
from impress_bench.benchmark.tasks.malicious_editing import (
    MaliciousEditing,
    MaliciousEditingSettings,
)
from impress_bench.benchmark.tasks.style_mimicry import StyleMimicry, StyleMimicrySettings

SILENT = lambda done, total: None  # noqa: E731


def test_a_mimic_learns_and_paints(any_model):
    settings = StyleMimicrySettings(
        works=2, samples=2, fine_tuning_steps=2, fine_tuning_batch=2, fine_tuning_lr=1e-3,
        sampling_steps=2,
    )  # fmt: skip
    task = StyleMimicry(settings)
    artist = task.subjects()[0]
    works = task.originals(artist)
    painted, again = (task.exploit(artist, works, any_model, 0, SILENT) for _ in range(2))
    side = any_model.image_size
    assert painted.images.shape == (2, side, side, 3)
    assert np.array_equal(painted.images, again.images)
    other = replace(works, images=255 - works.images)
    assert not np.array_equal(
        task.exploit(artist, other, any_model, 0, SILENT).images, painted.images
    )
    untaught = task.exploit(artist, works, any_model, 0, SILENT, "no-fine-tuning")
    assert not np.array_equal(untaught.images, painted.images)


def test_an_editor_edits(any_model, kind):
    task = MaliciousEditing(MaliciousEditingSettings(sampling_steps=3))
    photo = task.subjects()[0]
    original = task.originals(photo)
    if kind not in ("sd-inpainting", "instruct-pix2pix"):
        with pytest.raises(PluginError, match="inpaint") as skipped:
            task.exploit(photo, original, any_model, 0, SILENT)
        assert skipped.value.state is State.SKIPPED
        return
    edited, again = (task.exploit(photo, original, any_model, 0, SILENT) for _ in range(2))
    assert edited.images.shape == original.images.shape
    assert np.array_equal(edited.images, again.images)
    grey = task.exploit(photo, original, any_model, 0, SILENT, "grey-head")
    scores = task.score(photo, grey, edited)
    assert all(np.isfinite(list(scores.values())))


def test_an_editor_redraws(any_model):
    task = Img2ImgEditing(Img2ImgEditingSettings(sampling_steps=4))
    photo = task.subjects()[0]
    original = task.originals(photo)
    edited, again = (task.exploit(photo, original, any_model, 0, SILENT) for _ in range(2))
    assert edited.images.shape == original.images.shape
    assert np.array_equal(edited.images, again.images)
    for other in task.controls:
        scores = task.score(
            photo, task.exploit(photo, original, any_model, 0, SILENT, other), edited
        )
        assert all(np.isfinite(list(scores.values())))
