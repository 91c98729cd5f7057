"""Photos of Helen as the paper chooses them: those with the smallest faces (Appendix B).

How large a face is is its mask's share of what the model will see, the middle square. The paper
takes 80 photos.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.folders import fit_mask, image_files
from impress_bench.benchmark.datasets.masks import read_mask
from impress_bench.benchmark.datasets.photo_folders import MASKS
from impress_bench.benchmark.datasets.pictures import UnreadablePictureError
from impress_bench.benchmark.texts import composed

SIZE = 512


class Face(NamedTuple):
    """A photo, its mask, and the share of the square that the mask is white on."""

    photo: Path
    mask: Path
    share: float


def smallest_faces(images: Path, masks: Path, count: int) -> list[Face]:
    """The `count` photos of the smallest faces, smallest first; those whose face lies outside the
    square are left out. A mask has its photo's stem.

    Raises PluginError where a photo has no mask or there are fewer than `count`.
    """
    named = {composed(path.stem): path for path in image_files(masks)}
    faces = []
    for photo in image_files(images):
        if composed(photo.stem) not in named:
            raise PluginError(str(photo), f"has no mask of its stem in {masks}")
        mask = named[composed(photo.stem)]
        try:
            white = read_mask(mask)
        except UnreadablePictureError as error:
            raise PluginError(str(mask), str(error)) from None
        faces.append(Face(photo, mask, float(fit_mask(white, SIZE).mean())))
    faces = sorted(face for face in faces if face.share > 0)
    if len(faces) < count:
        message = f"holds {len(faces)} photos with a face; --photos asks for {count}"
        raise PluginError(f"Helen {images}", message)
    return sorted(faces, key=lambda face: face.share)[:count]


def write_photos(faces: list[Face], folder: Path) -> None:
    """A folder for `--photos`: copies of the photos and their masks."""
    (folder / MASKS).mkdir(parents=True)
    for face in faces:
        shutil.copyfile(face.photo, folder / face.photo.name)
        shutil.copyfile(face.mask, folder / MASKS / face.mask.name)
