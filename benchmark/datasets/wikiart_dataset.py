"""WikiArt as a data set of the library `datasets`: rows of an image, its artist and its style.

What the hub has as `huggan/wikiart`, on this machine: parquet files, or what `save_to_disk` writes.
What the paper calls genre, of which WikiArt has 27, is the column `style` there, and `genre` says
whether a work is a landscape or a portrait. It departs from the tree in three ways: it names 128
artists and calls all others unknown, who are left out; it has no file names, so that which works of
an artist are drawn follows from the order of its rows; and it shortens a style's name, which is put
back. Parquet files are copied once, as large as they are, into the library's cache (`HF_HOME`).
"""

from __future__ import annotations

from collections import defaultdict
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image
from pyarrow.compute import struct_field

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.pictures import SUFFIXES

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("image", "artist", "style")
#: Of one data set and of a dictionary of its splits.
SAVED = ("state.json", "dataset_dict.json")
#: The class of all whom the data set does not tell apart: no artist.
UNKNOWN = "Unknown Artist"
#: Names that the data set has shortened, as they are in the tree and among the paper's labels.
IN_FULL = {"Art_Nouveau": "Art_Nouveau_Modern"}


class RowWork(NamedTuple):
    """A work that is a row: decoded, and read from disk, when it is asked for."""

    dataset: Dataset
    row: int
    #: What its file was called; empty if the data set does not say.
    file: str

    @property
    def name(self) -> str:
        """A file's name with the suffix of an image; without one of its own it tells the row."""
        if PurePosixPath(self.file).suffix.lower() in SUFFIXES:
            return self.file
        try:
            with Image.open(BytesIO(self.data())) as image:
                kind = str(image.format).lower()
        except Exception:  # decoders raise whatever a broken file makes them stumble over
            raise PluginError(str(self), "is no image that Pillow can read") from None
        return f"{self.file or f'row-{self.row:06d}'}.{'jpg' if kind == 'jpeg' else kind}"

    def data(self) -> bytes:
        """The bytes of its file, as they are. Raises PluginError where there are none."""
        content = self.dataset[self.row]["image"]["bytes"]
        if not content:
            raise PluginError(str(self), "has no image in it, only a path or nothing at all")
        return bytes(content)

    def __str__(self) -> str:
        return f"row {self.row} of WikiArt"


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds what `in_dataset` reads, by the names of its files."""
    return any((folder / name).is_file() for name in SAVED) or bool(_parquet(folder))


def in_dataset(folder: Path) -> dict[str, dict[str, list[RowWork]]]:
    """Works by artist and style, by the names of their files, else by row.

    Artist and style are strings or the integers of a ClassLabel; rows that lack one are left out.
    No image is read. Raises PluginError where a column is missing or cannot be used, the folder
    cannot be loaded, or `datasets` is not installed.
    """
    plugin = f"WikiArt {folder}"
    if find_spec("datasets") is None:
        message = (
            "is a data set, and to read it needs datasets: pip install 'impress-bench[wikiart]'"
        )
        raise PluginError(plugin, message)
    try:
        dataset = _load(folder, plugin)
    except PluginError:
        raise
    except Exception as error:  # whatever arrow, parquet and json find wrong with files
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise PluginError(plugin, f"cannot be loaded as a data set ({first})") from error
    artists, styles = (_names(dataset, column, plugin) for column in COLUMNS[1:])
    images = dataset.select_columns(["image"])
    # The parts of a struct lie apart in Arrow: names are read without the bytes beside them.
    paths = struct_field(images.with_format("arrow")[:]["image"], "path").to_pylist()
    files = [PurePosixPath(path or "").name for path in paths]
    found: dict[str, dict[str, list[RowWork]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(range(len(files)), key=lambda row: (files[row], row)):
        artist, style = artists[row], styles[row]
        if artist and style and artist != UNKNOWN:
            if "/" in artist or artist.startswith("."):
                raise PluginError(plugin, f"artist {artist!r} in row {row} can name no folder")
            found[artist][IN_FULL.get(style, style)].append(RowWork(images, row, files[row]))
    return {artist: dict(own) for artist, own in found.items()}


def _parquet(folder: Path) -> list[str]:
    """Parquet files at any depth, hidden folders left out."""
    return sorted(
        str(path)
        for path in folder.rglob("*.parquet")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _load(folder: Path, plugin: str) -> Dataset:
    """All rows of all splits, mapped from disk, with images as the bytes of their files."""
    from datasets import DatasetDict, concatenate_datasets, load_dataset, load_from_disk
    from datasets import Image as ImageFeature

    if any((folder / name).is_file() for name in SAVED):
        loaded = load_from_disk(str(folder))
        if isinstance(loaded, DatasetDict):
            loaded = concatenate_datasets([*loaded.values()])
    else:
        loaded = load_dataset("parquet", data_files=_parquet(folder), split="train")
    if lacking := [name for name in COLUMNS if name not in loaded.features]:
        has = ", ".join(loaded.features)
        raise PluginError(plugin, f"has no column {' and no '.join(lacking)}; it has: {has}")
    return loaded.cast_column("image", ImageFeature(decode=False))


def _names(dataset: Dataset, column: str, plugin: str) -> list[str]:
    """The names in a column; empty where a row has none."""
    from datasets import ClassLabel

    feature: Any = dataset.features[column]
    values = dataset.select_columns([column])[:][column]
    if isinstance(feature, ClassLabel):
        # -1 stands for no class.
        return ["" if value in (None, -1) else feature.int2str(value) for value in values]
    if getattr(feature, "dtype", None) in ("string", "large_string"):
        return [(value or "").strip() for value in values]
    message = f"has no names in its column {column}: neither strings nor a ClassLabel"
    raise PluginError(plugin, message)
