"""Helen by the paper's rule: the smallest faces."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.helen import smallest_faces, write_photos
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder


@pytest.fixture
def helen(tmp_path):
    """Photos of 80 x 60 whose faces are squares of the given sides, one outside the middle."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for name, side, left in (("a", 20, 30), ("b", 10, 30), ("c", 40, 20), ("d", 8, 0)):
        mask = np.zeros((60, 80), np.uint8)
        mask[10 : 10 + side, left : left + side] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        Image.new("RGB", (80, 60), "white").save(tmp_path / "images" / f"{name}.jpg")
    return tmp_path


def test_the_smallest_faces_are_taken(helen):
    faces = smallest_faces(helen / "images", helen / "masks", 2)
    assert [face.photo.stem for face in faces] == ["b", "a"]
    assert faces[0].share == pytest.approx(10 * 10 / 60**2, rel=0.05)
    write_photos(faces, helen / "made")
    photos = PhotoFolder(helen / "made", 32)
    assert photos.names() == ("a", "b")
    assert photos.subject("a").photo.masks.any()


def test_what_is_missing_is_named(helen):
    with pytest.raises(PluginError, match=r"holds 3 photos with a face; --photos asks for 4"):
        smallest_faces(helen / "images", helen / "masks", 4)
    (helen / "masks" / "c.png").unlink()
    with pytest.raises(PluginError, match=r"c\.jpg: has no mask of its stem"):
        smallest_faces(helen / "images", helen / "masks", 1)
