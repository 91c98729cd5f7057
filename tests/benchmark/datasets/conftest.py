"""Folders as users have them, filled with the atelier's works."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from impress_bench.benchmark.atelier import world


def save_works(folder, movement, count, titled=True):
    """`count` works of a painter at odd sizes, and what is said of them."""
    folder.mkdir(parents=True)
    entries = []
    for at, work in enumerate(
        world.paintings(world.artists(movement=movement)[0], "heldout", count)
    ):
        picture = Image.fromarray(work.image).resize((90, 70 + at))
        picture.save(folder / f"work {at}.{'jpg' if at % 2 else 'png'}")
        entry = {"file_name": f"work {at}.{'jpg' if at % 2 else 'png'}", "movement": movement}
        entries.append(entry | ({"text": f"{work.title} {at}"} if titled else {}))
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in entries))


@pytest.fixture
def artworks(tmp_path):
    """Two artists of unlike movements, seven works each."""
    save_works(tmp_path / "artworks" / "ada-mill", "cubism", 7)
    save_works(tmp_path / "artworks" / "Ben Öst", "mosaic", 7)
    return tmp_path / "artworks"


@pytest.fixture
def photos(tmp_path):
    """Two photos, one of which is described."""
    folder = tmp_path / "photos"
    (folder / "masks").mkdir(parents=True)
    for at, photographer in enumerate(world.artists(movement="photography")[:2]):
        work = world.paint(photographer, "portrait", "heldout", 0)
        Image.fromarray(work.image).resize((128, 160)).save(folder / f"p{at}.jpg")
        Image.fromarray(work.head_mask).resize((128, 160)).save(folder / "masks" / f"p{at}.png")
    entry = {"file_name": "p0.jpg", "sitter": "a man with white hair", "place": "in the snow"}
    (folder / "metadata.jsonl").write_text(json.dumps(entry))
    return folder
