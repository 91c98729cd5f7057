"""Artists of WikiArt as the paper chooses them, written as a folder an artist.

Appendix B: artists whom CLIP recognises in at least 80 % of works, of those the ones with the most
works; eight to test on and one to choose settings on. As in the released code, an artist's works
are those of the largest genre (WikiArt's 27, which the paper's CLIP names among 39 labels), and a
work counts as recognised if the genre is among the first three. The code then takes the best
recognised of the most productive; this follows the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.folders import fit_square, read
from impress_bench.benchmark.datasets.metadata import METADATA
from impress_bench.benchmark.datasets.wikiart_dataset import in_dataset, is_dataset
from impress_bench.benchmark.datasets.wikiart_tree import in_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

GENRES = (
    "Abstract_Expressionism", "Action_painting", "Analytical_Cubism", "Art_Nouveau_Modern",
    "Baroque", "Color_Field_Painting", "Contemporary_Realism", "Cubism", "Early_Renaissance",
    "Expressionism", "Fauvism", "High_Renaissance", "Impressionism", "Mannerism_Late_Renaissance",
    "Minimalism", "Naive_Art_Primitivism", "New_Realism", "Northern_Renaissance", "Pointillism",
    "Pop_Art", "Post_Impressionism", "Realism", "Rococo", "Romanticism", "Symbolism",
    "Synthetic_Cubism", "Ukiyo_e",
)  # fmt: skip
DIGITAL = (
    "Anime", "Caricature", "Cartoon", "Picture Books", "Comics", "Commercial Art", "Concept Art",
    "Fantasy", "Fashion", "Fine art", "Line art", "Retro",
)  # fmt: skip
#: The 39 among which CLIP chooses.
LABELS = (*GENRES, *DIGITAL)
#: The paper's models see 512 pixels, of which CLIP then makes its own size.
SIZE, TOP = 512, 3
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


class Work(Protocol):
    """A painting, in a file or a row; `str` of it names it in messages."""

    @property
    def name(self) -> str:
        """Its file's name, with the suffix of its format."""

    def data(self) -> bytes:
        """The bytes of its file."""


#: By artist and genre, in an order that is the same each time.
Works = Mapping[str, Mapping[str, Sequence[Work]]]


class Candidate(NamedTuple):
    """An artist, the largest genre, and the works drawn from it; `total` is how many it has."""

    artist: str
    genre: str
    works: tuple[Work, ...]
    total: int


class Classifier(Protocol):
    """What ranks `labels` for images (B, 3, H, W) in [0, 1] by scores (B, L)."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What it chooses among."""

    def scores(self, images: Tensor) -> Tensor:
        """Higher is likelier."""


def candidates(source: Path, works: int) -> list[Candidate]:
    """Artists with at least `works` works in their largest genre, the most productive there first;
    `works` of them drawn by a seed.

    `source` is a tree (`wikiart_tree`) or a data set (`wikiart_dataset`); which, its files tell.
    Raises PluginError where it is neither or cannot be read.
    """
    found: Works
    if source.is_dir() and is_dataset(source):
        found = in_dataset(source)
    elif source.exists() or not HUB_ID.fullmatch(str(source)):
        found = in_tree(source)
    else:
        get = f"hf download {source} --repo-type dataset --local-dir {source.name}"
        message = f"is no folder here. If it is a data set on the hub, first: {get}"
        raise PluginError(f"WikiArt {source}", message)
    chosen = []
    for artist, genres in found.items():
        genre = max(sorted(genres), key=lambda name: len(genres[name]))
        files = genres[genre]
        if len(files) >= works:
            drawn = np.random.default_rng(0).permutation(len(files))[:works]
            kept = tuple(files[at] for at in sorted(drawn))
            chosen.append(Candidate(artist, genre, kept, len(files)))
    return sorted(chosen, key=lambda one: (-one.total, one.artist))


def recognised(candidate: Candidate, classifier: Classifier) -> float:
    """Share of a candidate's works whose genre is among the classifier's first three."""
    import torch

    own, hits = classifier.labels.index(candidate.genre), 0
    for work in candidate.works:
        pixels = torch.from_numpy(square(work)).permute(2, 0, 1)[None] / 255
        scores = classifier.scores(pixels)[0]
        hits += int((scores > scores[own]).sum() < TOP)
    return hits / len(candidate.works)


def square(work: Work) -> NDArray[np.uint8]:
    """What of a work is shown, uint8 (SIZE, SIZE, 3). Raises PluginError for a broken image."""
    return fit_square(read(work.data(), str(work)), SIZE)


def select(
    found: Iterable[Candidate],
    classifier: Classifier,
    count: int,
    least: float,
    tell: Callable[[str], None],
) -> Iterator[Candidate]:
    """The first `count` that are recognised in a share of at least `least`; `tell` hears of all."""
    for candidate in found:
        share = recognised(candidate, classifier)
        taken = share >= least
        tell(
            f"{candidate.artist}: {candidate.total} works in {candidate.genre},"
            f" {share:.0%} recognised, {'taken' if taken else 'left out'}"
        )
        if taken:
            yield candidate
            count -= 1
        if count == 0:
            return


def write_artist(candidate: Candidate, titles: Sequence[str], folder: Path) -> None:
    """An artist's folder for `--artworks`: copies of the works, and what is said of each."""
    own = folder / candidate.artist
    own.mkdir(parents=True)
    lines = []
    for at, (work, title) in enumerate(zip(candidate.works, titles, strict=True)):
        of = work.name
        name = f"{at:03d}{Path(of).suffix.lower()}"
        (own / name).write_bytes(work.data())
        said = {"file_name": name, "title": title, "movement": candidate.genre, "of": of}
        lines.append(json.dumps(said, ensure_ascii=False) + "\n")
    (own / METADATA).write_text("".join(lines), encoding="utf-8")
