"""WikiArt as a tree of image files: folders of genres, in them folders or file names of artists."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.folders import entries, image_files


class FileWork(NamedTuple):
    """A work that is an image file."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def data(self) -> bytes:
        """The file's content. Raises PluginError where it cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise PluginError(str(self), f"cannot be read ({error.strerror})") from None

    def __str__(self) -> str:
        return str(self.path)


def in_tree(tree: Path) -> dict[str, dict[str, list[FileWork]]]:
    """Works by artist and genre, by path. `tree` holds GENRE/ARTIST/*.jpg, or
    GENRE/ARTIST_TITLE.jpg as WikiArt is handed around. Raises PluginError where it holds neither.
    """
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for folder in filter(Path.is_dir, entries(tree, f"WikiArt {tree}")):
        for own in filter(Path.is_dir, entries(folder)):
            found[own.name][folder.name] += image_files(own)
        for path in image_files(folder):
            found[path.stem.partition("_")[0]][folder.name].append(path)
    if not found:
        message = (
            "holds no GENRE/ARTIST/*.jpg, no GENRE/ARTIST_TITLE.jpg, no *.parquet and no dataset"
            " that save_to_disk has written"
        )
        raise PluginError(f"WikiArt {tree}", message)
    return {
        artist: {genre: [FileWork(path) for path in sorted(paths)] for genre, paths in own.items()}
        for artist, own in found.items()
    }
