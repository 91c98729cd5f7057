"""The paper's data sets, brought into the folders that `--artworks` and `--photos` take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from impress_bench.benchmark.datasets.captions import CAPTIONER
from impress_bench.benchmark.errors import ConfigError

FOLDER = click.Path(file_okay=False, path_type=Path)
CLIP = "timm/vit_base_patch32_clip_224.openai"


@click.command("prepare-wikiart")
@click.argument("source", type=FOLDER)
@click.argument("target", type=FOLDER)
@click.option("--artists", default=8, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--works", default=124, show_default=True, type=click.IntRange(min=2), help="Of each."
)
@click.option("--recognised", default=0.8, show_default=True, type=click.FloatRange(0, 1))
@click.option("--clip", default=CLIP, show_default=True, help="An open_clip folder or hub id.")
@click.option("--captioner", default=CAPTIONER, show_default=True, help="A folder or hub id.")
def wikiart(
    source: Path,
    target: Path,
    artists: int,
    works: int,
    recognised: float,
    clip: str,
    captioner: str,
) -> None:
    """Choose artists of WikiArt by the paper's rule, for --artworks.

    SOURCE holds GENRE/ARTIST/*.jpg or GENRE/ARTIST_TITLE.jpg, or it is a data set of the library
    `datasets` with columns image, artist and style: *.parquet, or what save_to_disk writes.

    TARGET/artists gets a folder an artist with titles by the captioner, TARGET/validation the next
    artist, to choose settings on.
    """
    from impress_bench.benchmark.datasets import captions
    from impress_bench.benchmark.datasets import wikiart as dataset
    from impress_bench.benchmark.models.style_classifier import ZeroShotStyleClassifier

    with _whole_or_not_at_all(target) as scratch:
        if told := captions.problem(captioner):
            raise ConfigError(f"--captioner: {told}")
        found = dataset.candidates(source, works)
        genres = dict.fromkeys(one.genre for one in found)
        labels = tuple(dict.fromkeys((*dataset.LABELS, *genres)))
        try:
            classifier = ZeroShotStyleClassifier.from_source(clip, labels, ("{}",))
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise ConfigError(f"--clip: {clip} cannot be loaded ({first})") from error
        chosen = dataset.select(found, classifier, artists + 1, recognised, _tell)
        places = [*["artists"] * artists, "validation"]
        for one in chosen:
            squares = [dataset.square(work) for work in one.works]
            titles = captions.caption(squares, captioner)
            dataset.write_artist(one, titles, scratch / places.pop(0))
        if places:
            raise ConfigError(
                f"{source} has {artists + 1 - len(places)} artists of whose {works} works"
                f" {recognised:.0%} are recognised, not {artists} and one for validation; lower"
                " --artists, --works or --recognised"
            )


@click.command("prepare-helen")
@click.argument("images", type=FOLDER)
@click.argument("masks", type=FOLDER)
@click.argument("target", type=FOLDER)
@click.option("--photos", default=80, show_default=True, type=click.IntRange(min=1))
def helen(images: Path, masks: Path, target: Path, photos: int) -> None:
    """Choose the photos of Helen with the smallest faces, for --photos.

    MASKS have the stems of IMAGES and are white on faces. TARGET gets the photos, TARGET/masks
    their masks."""
    from impress_bench.benchmark.datasets import helen as dataset

    with _whole_or_not_at_all(target) as scratch:
        faces = dataset.smallest_faces(images, masks, photos)
        dataset.write_photos(faces, scratch)
    for face in faces:
        click.echo(f"{target / face.photo.name}  {face.share:.1%}")


@contextmanager
def _whole_or_not_at_all(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` if all goes well; what was there would count as chosen."""
    from impress_bench.benchmark.contract import PluginError

    if target.exists():
        raise ConfigError(f"{target} is there already; name a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / target.name
        made.mkdir()
        try:
            yield made
        except PluginError as error:
            raise ConfigError(str(error)) from None
        made.rename(target)


def _tell(line: str) -> None:
    click.echo(line, err=True)
