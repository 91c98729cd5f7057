"""Pictures in a folder of results: strips of all subjects, and an album of single ones.

```
RESULTS/figures/…              strips, one row per condition
RESULTS/pictures/album.json    of what the single pictures are, and which rows found no room
RESULTS/pictures/DIGEST.webp   one picture, named by its contents
```

An album holds for each row of the boards what the exploit was given and what it made of that: as
protected, and after the purifiers that conclusions name. Pictures are lossless, since a page shows
their differences amplified; equal pictures are one file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from impress_bench.benchmark.errors import ConfigError
from impress_bench.leaderboard.html.texts import slug
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import write_bytes

#: How much the single pictures of a folder of results may take, in bytes.
BUDGET = 3 * 2**20
FOLDER, INDEX = "pictures", "album.json"


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


class Place(NamedTuple):
    """A row of the boards for one subject."""

    task: str
    subject: str
    protection: str


class Picture(NamedTuple):
    """One condition of a row, as files of the album: what the exploit was given, and what it made
    of that; "" for none."""

    task: str
    subject: str
    protection: str
    purifier: str
    given: str
    made: str


class Album(NamedTuple):
    """The single pictures of a folder of results, and the rows for which `budget` bytes left no
    room."""

    pictures: Sequence[Picture] = ()
    left_out: Sequence[Place] = ()
    budget: int = BUDGET


#: The pictures of a row by purifier: what was given and what was made, encoded; None for none.
Row = Mapping[str, tuple[bytes | None, bytes | None]]


def read_album(results: Path) -> Album:
    """The album in a folder of results; an empty one without any. Raises ConfigError for a file
    that is none."""
    path = results / FOLDER / INDEX
    if not path.is_file():
        return Album()
    try:
        document = json.loads(path.read_bytes())
        pictures = [Picture(**one) for one in document["pictures"]]
        left_out, budget = [Place(*one) for one in document["left_out"]], int(document["budget"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no album of pictures ({error}); remove the folder {FOLDER}, or write it"
            " again with `impress-bench figures`"
        ) from None
    # A name that leads out of the folder, or to nothing, is no picture.
    return Album(
        [one._replace(given=_there(path.parent, one.given), made=_there(path.parent, one.made))
         for one in pictures], left_out, budget,
    )  # fmt: skip


def rows_of(results: Path) -> dict[Place, dict[str, tuple[bytes | None, bytes | None]]]:
    """The pictures of an album, read, by row."""
    rows: dict[Place, dict[str, tuple[bytes | None, bytes | None]]] = {}
    for one in read_album(results).pictures:
        files = (_read(results / FOLDER, name) for name in (one.given, one.made))
        rows.setdefault(Place(*one[:3]), {})[one.purifier] = (next(files), next(files))
    return rows


def write_album(
    rows: Mapping[Place, Row], layout: Layout, results: Path, left_out: Iterable[Place] = ()
) -> Album:
    """Write the album of a folder of results anew: as many rows as fit into `BUDGET`, in the order
    of the boards, one subject of each task after the other.

    Parameters:
        rows: Pictures as they are to be stored, by row; subjects in the order in which they count.
        layout: The order of rows.
        results: The folder of results.
        left_out: Rows that were left out before.
    """
    folder = results / FOLDER
    pictures: list[Picture] = []
    lacking: list[Place] = []
    files: dict[str, bytes] = {}
    for place in _in_order(rows, layout):
        named = {
            purifier: [_name(image) for image in rows[place][purifier]]
            for purifier in layout.purifiers(rows[place])
        }
        new = {
            name: image
            for purifier, images in rows[place].items()
            for name, image in zip(named[purifier], images, strict=True)
            if image is not None
        }
        size = sum(len(image) for image in {**files, **new}.values())
        if lacking or size > BUDGET:
            lacking.append(place)
            continue
        files |= new
        pictures += [Picture(*place, purifier, *names) for purifier, names in named.items()]
    shown = {Place(*one[:3]) for one in pictures}
    lacking += [one for one in dict.fromkeys(left_out) if one not in {*shown, *lacking}]
    album = Album(pictures, lacking, BUDGET)
    if folder.is_dir():
        for old in folder.glob("*.webp"):
            if old.name not in files:
                old.unlink()
    for name, image in files.items():
        write_bytes(folder / name, image)
    document = {
        "budget": album.budget,
        "pictures": [one._asdict() for one in album.pictures],
        "left_out": album.left_out,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_bytes(folder / INDEX, text.encode())
    return album


def _in_order(rows: Iterable[Place], layout: Layout) -> list[Place]:
    """The first subject of every task, row by row, then the second."""
    rows = list(rows)
    rank = {
        name: at for at, name in enumerate(layout.protections({one.protection for one in rows}))
    }
    subjects: dict[str, list[str]] = {}
    for one in rows:
        known = subjects.setdefault(one.task, [])
        if one.subject not in known:
            known.append(one.subject)
    turns = {(task, name): at for task, names in subjects.items() for at, name in enumerate(names)}
    return sorted(rows, key=lambda one: (turns[one[:2]], rank[one.protection], one.task))


def _name(image: bytes | None) -> str:
    return "" if image is None else f"{hashlib.sha256(image).hexdigest()[:16]}.webp"


def _there(folder: Path, name: str) -> str:
    return name if name and Path(name).name == name and (folder / name).is_file() else ""


def _read(folder: Path, name: str) -> bytes | None:
    return (folder / name).read_bytes() if name else None
