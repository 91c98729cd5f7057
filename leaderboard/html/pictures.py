"""Which pictures a folder of results has of which subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from impress_bench.leaderboard.html.texts import slug


class Strip(NamedTuple):
    """A picture in `figures/` of some subjects of a task: rows are conditions. Its size in pixels
    keeps the page from moving while it loads."""

    file: str
    caption: str
    task: str
    subjects: Sequence[str]
    width: int
    height: int


def strips(
    figures: Mapping[str, str], folder: Path | None, subjects: Mapping[str, Sequence[str]]
) -> list[Strip]:
    """The picture strips that lie in `folder`.

    Parameters:
        figures: Captions by file name. A strip's caption starts with its subjects, and its file
            name with its task.
        folder: Where pictures lie; None without any.
        subjects: Each task's subjects.
    """
    found = []
    for name, caption in sorted(figures.items()):
        if folder is None or Path(name).name != name or not (folder / name).is_file():
            continue
        shown = caption.partition(": ")[0].split(", ")
        for task, known in sorted(subjects.items()):
            here = [subject for subject in known if subject in shown]
            if here and name.startswith(slug(task) + "-"):
                with Image.open(folder / name) as picture:
                    found.append(Strip(name, caption, task, here, *picture.size))
    return found


class Picture(NamedTuple):
    """Images of one subject under one condition, as paths from the page: what the exploit was
    given, and what it made of that; "" for none."""

    task: str
    subject: str
    protection: str
    purifier: str
    given: str
    made: str
