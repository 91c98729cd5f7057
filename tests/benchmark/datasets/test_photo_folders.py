"""Photos of one's own: their masks, their prompts, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark import load_model
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder
from impress_bench.benchmark.tasks.malicious_editing import (
    MaliciousEditing,
    MaliciousEditingSettings,
)


def test_photos_come_with_masks_and_words(photos):
    source = PhotoFolder(photos, 64)
    assert source.names() == ("p0", "p1")
    said, unsaid = map(source.subject, source.names())
    assert (said.sitter, said.place) == ("a man with white hair", "in the snow")
    assert f"{unsaid.sitter} {unsaid.place}" == "a person in an airplane"
    assert said.photo.images.shape == (1, 64, 64, 3)
    # The middle square of 128 x 160 lies 16 rows down; a mask is white where it was.
    with Image.open(photos / "masks" / "p0.png") as mask:
        middle = np.asarray(mask.convert("L"))[16:144] > 127
    assert abs(said.photo.masks.mean() - middle.mean()) < 0.02


def blank(photos, value):
    Image.new("L", (128, 160), value).save(photos / "masks" / "p1.png")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda p: (p / "masks" / "p1.png").unlink(), r"p1\.jpg: has no mask; put one"),
        (lambda p: [one.unlink() for one in p.glob("*.jpg")], "metadata|holds no image"),
        (lambda p: Image.new("L", (128, 80)).save(p / "masks" / "p1.png"), "128x80 and its photo"),
        (lambda p: blank(p, 0), "keeps nothing"),
        (lambda p: blank(p, 255), "keeps everything"),
        (lambda p: (p / "p1.jpg").write_bytes(b""), r"p1\.jpg: the file is empty"),
    ],
)
def test_what_is_wrong_is_named(photos, harm, told):
    harm(photos)
    source = PhotoFolder(photos, 64)
    with pytest.raises(PluginError, match=told):
        [source.subject(name) for name in source.names()]


def test_the_task_edits_and_scores_them(photos):
    task = MaliciousEditing(
        MaliciousEditingSettings(photos=str(photos), resolution=64, sampling_steps=2)
    )
    model = load_model("atelier")
    subject = task.subjects()[0]
    clean = task.originals(subject)
    edits = [
        task.exploit(subject, clean, model, 0, lambda *_: None, control)
        for control in (None, "other-seed")
    ]
    scores = task.score(subject, edits[1], edits[0])
    assert all(np.isfinite(value) for value in scores.values())
