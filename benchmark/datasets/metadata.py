"""What is said of the images in a folder: metadata.jsonl, metadata.csv, captions in text files.

- `metadata.jsonl`, one JSON object per line, and `metadata.csv`, a header and one row per image,
  are those of `datasets`' imagefolder: `file_name`, relative to the folder, says which image is
  meant.
- `a.txt` or `a.caption` beside `a.png` is its title, as kohya's trainers and A1111 have it; what
  A1111 writes after the prompt (`Negative prompt:`, `Steps:`) is left out.

Sources add to each other. What two of them say of one image must agree. All are UTF-8, with or
without a byte order mark; names of files are compared in Unicode's composed form.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.pictures import SUFFIXES
from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.texts import EncodingError, composed, read_text

METADATA = "metadata.jsonl"
TABLE = "metadata.csv"
#: Files of other tools that would be taken for granted.
UNREAD = ("metadata.json", "metadata.parquet", "captions.json", "captions.csv")
CAPTIONS = (".txt", ".caption")
#: What may hold an image's title, by preference.
TITLES = ("title", "text", "caption")
_GENERATION = re.compile(r"^(Negative prompt:|Steps: \d)", re.MULTILINE)


class Said(NamedTuple):
    """A value, and where it is said."""

    value: Any
    where: str


Entries = dict[Path, dict[str, Said]]


def read_metadata(*folders: Path) -> dict[Path, Mapping[str, Any]]:
    """What the metadata of `folders`, say an artist's and the one above, and the captions in the
    last of them say of each image, by path; `title` is any of TITLES.

    Raises PluginError, naming file and line, for what cannot be read, is about no file, or
    contradicts what is said elsewhere.
    """
    found: Entries = {}
    names = cache(_names)  # for as long as this call: a folder may hold others tomorrow
    for folder in folders:
        for entries in (_lines(folder), _rows(folder)):
            for where, entry in entries:
                _add(found, _meant(folder, entry, where, names), entry, where)
    for image, caption in _captions(folders[-1]):
        _add(found, image, {"title": caption.value}, caption.where)
    if not found:
        for name in UNREAD:
            if (folders[-1] / name).is_file():
                message = f"is not read; say what is in it in {METADATA} or {TABLE}"
                raise PluginError(str(folders[-1] / name), message)
    return {
        image: {key: said.value for key, said in entry.items()} for image, entry in found.items()
    }


def text_of(entry: Mapping[str, Any], *keys: str) -> str:
    """The first of `keys` that an entry has, as text without space around it; empty if none."""
    for key in keys:
        if text := str(entry.get(key) or "").strip():
            return text
    return ""


def _add(found: Entries, image: Path, entry: Mapping[str, Any], where: str) -> None:
    """Note what is said of an image, where nobody has said otherwise."""
    known = found.setdefault(image, {})
    named = {key: value for key, value in entry.items() if key not in ("file_name", *TITLES)}
    if title := text_of(entry, *TITLES):
        named["title"] = title
    for key, value in named.items():
        if value is None or str(value).strip() == "":
            continue
        if _lone(str(value)):
            raise PluginError(where, f"{key} of {image.name} holds half a character; write it anew")
        if key in known and str(known[key].value).strip() != str(value).strip():
            other = known[key]
            raise PluginError(
                where,
                f"says {key} {value!r} of {image.name}, but {other.where} says {other.value!r};"
                " remove one of them",
            )
        known.setdefault(key, Said(value, where))


def _lone(text: str) -> bool:
    """Whether a text holds half a surrogate pair, which cannot be written."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _text(path: Path) -> str:
    """A text file's content; nothing if there is no such file."""
    try:
        return read_text(path) if path.is_file() else ""
    except EncodingError as error:
        raise PluginError(str(path), str(error)) from None
    except OSError as error:
        raise PluginError(str(path), f"cannot be read ({error.strerror})") from None


def _lines(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Entries of metadata.jsonl and where each is. Lines end at \\n alone: a title may hold what
    else Unicode counts as an end of line."""
    path = folder / METADATA
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            entry = json.loads(line)
            if not isinstance(entry["file_name"], str):
                raise TypeError
        except (ValueError, TypeError, KeyError, RecursionError):
            message = 'is no JSON object with a file_name, such as {"file_name": "a.png", …}'
            raise PluginError(where, message) from None
        yield where, entry


def _rows(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Entries of metadata.csv and where each is; separated by commas, semicolons or tabs."""
    path = folder / TABLE
    if not (text := _text(path)).strip():
        return
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names = table.fieldnames or []
        if "file_name" not in names:
            has = ", ".join(map(str, names))
            raise PluginError(str(path), f"has no column file_name; it has: {has}")
        for row in table:
            where = f"{path}, line {table.line_num}"
            if None in row or not row["file_name"]:
                message = f"needs one value per column; quote what holds a {separator!r}"
                raise PluginError(where, message)
            yield where, row
    except csv.Error as error:
        raise PluginError(str(path), f"is no table of values ({error})") from None


def _captions(folder: Path) -> Iterator[tuple[Path, Said]]:
    """Images and the captions beside them."""
    try:
        paths = sorted(path for path in folder.iterdir() if not is_junk(path.name))
    except OSError:
        return
    images = {composed(path.stem): path for path in paths if path.suffix.lower() in SUFFIXES}
    for path in paths:
        if path.suffix.lower() in CAPTIONS and (image := images.get(composed(path.stem))):
            said = _text(path)
            if generated := _GENERATION.search(said):
                said = said[: generated.start()]
            yield image, Said(" ".join(said.split()), str(path))


def _meant(
    folder: Path,
    entry: Mapping[str, Any],
    where: str,
    names: Callable[[Path], Mapping[str, Path]],
) -> Path:
    """The file that an entry is about; `names` gives what is in a folder."""
    name = entry["file_name"]
    place = folder
    for part in name.replace("\\", "/").split("/"):
        if part in ("", "."):
            continue
        inside = {} if part == ".." else names(place)
        if part not in inside and composed(part) not in inside:
            close = get_close_matches(part, inside, n=1, cutoff=0.8)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise PluginError(where, f"file_name {name!r} is not there{hint}")
        place = inside.get(part) or inside[composed(part)]
    if not place.is_file():
        raise PluginError(where, f"file_name {name!r} is not there")
    if place.suffix.lower() not in SUFFIXES:
        raise PluginError(where, f"file_name {name!r} is no image")
    return place


def _names(folder: Path) -> dict[str, Path]:
    """What is in a folder, by name and by composed name."""
    try:
        inside = list(folder.iterdir())
    except OSError:
        return {}
    return {composed(path.name): path for path in inside} | {path.name: path for path in inside}
