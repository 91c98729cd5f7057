"""Which files a job works on, where each result goes, and that no result replaces an original."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.datasets.pictures import SUFFIXES, UNREAD
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.texts import composed


class Files(NamedTuple):
    """`images` and where the result of each goes; `ignored` has what else lies beside them and why
    it is left alone; `unread` are images of kinds that are not read."""

    images: Mapping[Path, Path]
    ignored: Mapping[Path, str] = {}
    unread: tuple[Path, ...] = ()


def find_files(source: Path, target: Path, masks: Path | None = None) -> Files:
    """The files of a folder, or the one file, and where their results go: the same stem, as PNG, or
    the whole name and `.png` where two files share a stem. Raises ConfigError."""
    if not source.exists():
        raise ConfigError(f"{source} does not exist; name a folder of images, or one image")
    if masks is not None and not masks.is_dir():
        raise ConfigError(f"--masks: {masks} is no folder")
    if source.is_file():
        files = Files({source: target / f"{source.stem}.png"})
    else:
        files = _inside(source, target)
    _refuse_overwriting(source, target, masks, files)
    return files


def masks_of(folder: Path, images: Iterable[Path]) -> tuple[dict[Path, Path], list[Path]]:
    """The mask of each image that has one, by their stems, and the masks of no image.

    Raises ConfigError where there are two of a stem."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if is_junk(path.name) or path.suffix.lower() not in SUFFIXES:
            continue
        stem = composed(path.stem)
        if stem in found:
            raise ConfigError(f"--masks: {found[stem]} and {path.name} have one stem; remove one")
        found[stem] = path
    stems = {path: composed(path.stem) for path in images}
    others = [found[stem] for stem in found.keys() - set(stems.values())]
    return {path: found[stem] for path, stem in stems.items() if stem in found}, sorted(others)


def _inside(source: Path, target: Path) -> Files:
    ignored: dict[Path, str] = {}
    images, unread = [], []
    for path in sorted(source.iterdir()):
        if path.is_dir():
            ignored[path] = "a folder; name it as SOURCE for the images in it"
        elif is_junk(path.name):
            ignored[path] = "hidden, or left behind by a system"
        elif path.suffix.lower() in SUFFIXES:
            images.append(path)
        elif path.suffix.lower() in UNREAD:
            unread.append(path)
        else:
            ignored[path] = "not the name of an image"
    if not images and not unread:
        raise ConfigError(f"{source} holds no image ({', '.join(sorted(SUFFIXES))})")
    return Files(_targets(images, target), ignored, tuple(unread))


def _targets(images: list[Path], target: Path) -> dict[Path, Path]:
    """A file per image, no two of which are one on any system: some fold case or accents."""
    stems = Counter(_folded(path.stem) for path in images)
    taken: set[str] = set()
    found = {}
    for path in images:
        name = path.stem if stems[_folded(path.stem)] == 1 else path.name
        unlike, number = name, 2
        while _folded(unlike) in taken:
            unlike, number = f"{name}-{number}", number + 1
        taken.add(_folded(unlike))
        found[path] = target / f"{unlike}.png"
    return found


def _folded(name: str) -> str:
    return composed(name).casefold()


def _refuse_overwriting(source: Path, target: Path, masks: Path | None, files: Files) -> None:
    """Whatever the names: links, and letters of another case where a system folds them."""
    folder = source if source.is_dir() else source.parent
    for other, whose in {folder: "the originals", masks: "the masks"}.items():
        if other is not None and target.exists() and target.samefile(other):
            raise ConfigError(
                f"{target} holds {whose}; results go into a folder of their own: name another"
            )
    originals = {_identity(path): path for path in files.images}
    for out in files.images.values():
        if os.path.exists(out) and (original := originals.get(_identity(out))):
            raise ConfigError(f"{out} is {original} by another name; name another folder")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
