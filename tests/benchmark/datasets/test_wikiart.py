"""WikiArt by the paper's rule, on trees of a few painted works."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.artworks import ArtworkFolder
from impress_bench.benchmark.datasets.wikiart import GENRES, LABELS, candidates, recognised, select

MAIN = "from impress_bench.benchmark.cli import main; main()"


def put(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30, 3), grey, np.uint8)).save(path)


@pytest.fixture
def tree(tmp_path):
    """Two artists with folders, one in two genres; one named in file names; one with few works."""
    for at in range(4):
        put(tmp_path / "tree" / "Cubism" / "anna" / f"{at}.jpg", 10)
        put(tmp_path / "tree" / "Baroque" / f"carl_night-{at}.jpg", 30)
    for at in range(6):
        put(tmp_path / "tree" / "Fauvism" / "berta" / f"{at}.jpg", 20)
    put(tmp_path / "tree" / "Cubism" / "berta" / "x.jpg", 99)
    put(tmp_path / "tree" / "Cubism" / "dora" / "x.jpg", 99)
    return tmp_path / "tree"


class ByGrey:
    """Sees Cubism below 15/255, Fauvism below 25, and nothing right above: its last label."""

    labels = ("Cubism", "Fauvism", "a", "b", "c", "Baroque")

    def scores(self, images):
        grey = float(images.mean() * 255)
        order = {True: 0, False: 1}[grey < 15] if grey < 25 else 2
        return torch.roll(torch.arange(6.0, 0, -1), order)[None]


def test_39_labels():
    assert len(set(GENRES)) == 27
    assert len(set(LABELS)) == 39


def test_the_most_productive_in_their_largest_genre_come_first(tree):
    found = candidates(tree, 4)
    assert [(one.artist, one.genre, one.total) for one in found] == [
        ("berta", "Fauvism", 6), ("anna", "Cubism", 4), ("carl", "Baroque", 4)
    ]  # fmt: skip
    assert all(len(set(one.works)) == 4 for one in found)
    assert candidates(tree, 4) == found


def test_who_is_not_recognised_is_left_out(tree):
    berta, anna, carl = candidates(tree, 4)
    assert [recognised(one, ByGrey()) for one in (berta, anna, carl)] == [1.0, 1.0, 0.0]
    told = []
    taken = select([carl, anna, berta], ByGrey(), 1, 0.8, told.append)
    assert list(taken) == [anna]
    assert told == [
        "carl: 4 works in Baroque, 0% recognised, left out",
        "anna: 4 works in Cubism, 100% recognised, taken",
    ]


def test_no_tree_is_named(tmp_path):
    with pytest.raises(PluginError, match="cannot be read as a folder"):
        candidates(tmp_path / "nowhere", 4)
    with pytest.raises(PluginError, match="holds no GENRE"):
        candidates(tmp_path, 4)


@pytest.fixture
def prepare(forks, tmp_path):
    return lambda *arguments: forks.run(MAIN, ["prepare-wikiart", *arguments], tmp_path)


def test_the_command_writes_what_artworks_takes(
    prepare, tree, tmp_path, captioner, open_clip_folder
):
    options = ("--artists", 2, "--works", 4, "--clip", open_clip_folder, "--captioner", captioner)
    done = prepare(tree, tmp_path / "made", *options, "--recognised", 0)
    assert done.returncode == 0, done.stderr
    artists = ArtworkFolder(tmp_path / "made" / "artists", 3, 32, "nobody/nothing")
    assert artists.names() == ("anna", "berta")
    assert artists.style_of("berta") == "Fauvism"
    assert [path.name for path in (tmp_path / "made" / "validation").iterdir()] == ["carl"]
    said = [json.loads(line) for line in (tmp_path / "made/artists/anna/metadata.jsonl").open()]
    assert all(entry["title"] for entry in said)
    again = prepare(tree, tmp_path / "made", *options)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_too_few_artists_leave_nothing_behind(prepare, tree, tmp_path, captioner, open_clip_folder):
    done = prepare(
        tree, tmp_path / "made", "--artists", 3, "--works", 4,
        "--clip", open_clip_folder, "--captioner", captioner, "--recognised", 0,
    )  # fmt: skip
    assert done.returncode == 2
    assert "has 3 artists of whose 4 works 0% are recognised" in done.stderr
    assert not (tmp_path / "made").exists()
    assert not list(tmp_path.glob(".made-*"))


def test_without_the_captioner_nothing_begins(prepare, tree, tmp_path):
    done = prepare(tree, tmp_path / "made")
    assert done.returncode == 2
    assert "hf download nlpconnect/vit-gpt2-image-captioning" in done.stderr
