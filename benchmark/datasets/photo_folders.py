"""Subjects of malicious editing from a folder of one's own: `DIR/*.png` and `DIR/masks/*.png`.

A mask has its photo's stem and size and is white on what the editor keeps (the head), as for
`impress-bench protect --masks`. `metadata.jsonl` or `metadata.csv` says of a photo its `sitter` and
the `place` it is to be moved to; left out, they make the paper's prompt, "a person in an airplane".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.datasets.folders import (
    fit_mask,
    fit_square,
    image_files,
    read,
)
from impress_bench.benchmark.datasets.masks import read_mask
from impress_bench.benchmark.datasets.metadata import read_metadata, text_of
from impress_bench.benchmark.datasets.photos import EditingSubject
from impress_bench.benchmark.datasets.pictures import UnreadablePictureError
from impress_bench.benchmark.texts import composed

MASKS = "masks"
SITTER, PLACE = "a person", "in an airplane"


@dataclass(frozen=True)
class PhotoFolder:
    """Photos in `folder`, brought to squares of `size` pixels.

    Every method raises PluginError, which names folder or file and the way out.
    """

    folder: Path
    size: int

    def names(self) -> tuple[str, ...]:
        """The photos' stems, each of which has a mask."""
        files = image_files(self.folder)
        if not files:
            raise PluginError(f"photos {self.folder}", "holds no image")
        masks = {composed(path.stem) for path in image_files(self.folder / MASKS)}
        for path in files:
            if composed(path.stem) not in masks:
                raise PluginError(
                    str(path),
                    f"has no mask; put one of its stem and size into {self.folder / MASKS}, white"
                    " on what the editor keeps",
                )
        read_metadata(self.folder)
        return tuple(composed(path.stem) for path in files)

    def subject(self, name: str) -> EditingSubject:
        """A photo with its mask, what it shows, and where that is to be put."""
        path, mask_path = (_file(folder, name) for folder in (self.folder, self.folder / MASKS))
        photo = read(path)
        try:
            mask = read_mask(mask_path, shape=photo.shape)
        except UnreadablePictureError as error:
            raise PluginError(str(mask_path), str(error)) from None
        keep = fit_mask(mask, self.size)
        if keep.all() or not keep.any():
            what = "everything" if keep.all() else "nothing"
            message = f"keeps {what} of the photo's middle square; it must be white on the head"
            raise PluginError(str(mask_path), message)
        said = read_metadata(self.folder).get(path, {})
        sitter = text_of(said, "sitter", "title") or SITTER
        return EditingSubject(
            photo=ImageSet(
                images=fit_square(photo, self.size)[None],
                names=(name,),
                titles=(text_of(said, "title") or sitter,),
                masks=keep[None],
            ),
            sitter=sitter,
            place=text_of(said, "place") or PLACE,
        )


def _file(folder: Path, stem: str) -> Path:
    return next(path for path in image_files(folder) if composed(path.stem) == stem)
