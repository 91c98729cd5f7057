"""No result replaces an original, whatever it is called; two results are never one file."""

from __future__ import annotations

import os
import unicodedata

import pytest
from PIL import Image

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.pictures.sources import find_files, masks_of


@pytest.fixture
def originals(tmp_path):
    folder = tmp_path / "originals"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    Image.new("RGB", (8, 8)).save(folder / "b.png")
    return folder


def through_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder)
    return link, folder


def file_through_a_link(folder):
    return through_a_link(folder)[0] / "a.png", folder


def links_to_originals(folder):
    links = folder.parent / "links"
    links.mkdir()
    (links / "a.png").symlink_to(folder / "a.png")
    return links, folder


def hard_links(folder):
    out = folder.parent / "out"
    out.mkdir()
    os.link(folder / "b.png", out / "b.png")
    return folder, out


def a_link_to_another(folder):
    out = folder.parent / "out"
    out.mkdir()
    (out / "a.png").symlink_to(folder / "b.png")
    return folder, out


@pytest.mark.parametrize(
    "spelling",
    [
        lambda folder: (folder, folder),
        lambda folder: (folder / "a.png", folder),
        lambda folder: (folder / "a.png", folder / ".." / folder.name),
        through_a_link,
        file_through_a_link,
        links_to_originals,
        hard_links,
        a_link_to_another,
    ],
)
def test_an_original_is_never_written_over(originals, spelling, tmp_path, monkeypatch):
    source, target = spelling(originals)
    with pytest.raises(ConfigError, match=r"folder of their own|by another name"):
        find_files(source, target)
    monkeypatch.chdir(originals)
    with pytest.raises(ConfigError, match="folder of their own"):
        find_files(originals / "a.png", type(target)("."))


def test_masks_are_not_written_over_either(originals, tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(ConfigError, match="holds the masks"):
        find_files(originals, tmp_path / "masks", tmp_path / "masks")


def test_results_stay_apart_where_case_and_accents_are_one(tmp_path):
    """On macOS and Windows `Ä.png`, its other spelling and `ä.png` are one file."""
    source = tmp_path / "in"
    source.mkdir()
    accents = [unicodedata.normalize(form, "Ä") for form in ("NFC", "NFD")]
    names = [*(f"{name}.png" for name in accents), "ä.jpg", "b.png", "c.png", "c.jpg", "c.png.bmp"]
    for name in names:
        (source / name).write_bytes(b"x")
    files = find_files(source, tmp_path / "out")
    assert len(files.images) == len(names)
    folded = {unicodedata.normalize("NFC", out.name).casefold() for out in files.images.values()}
    assert len(folded) == len(names)
    assert files.images[source / "b.png"].name == "b.png"


def test_masks_are_found_by_stem(tmp_path):
    (tmp_path / "masks").mkdir()
    composed, split = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    for name in (f"{split}.png", "a.png", "of-nothing.png", "Thumbs.db"):
        (tmp_path / "masks" / name).write_bytes(b"x")
    images = [tmp_path / f"{composed}.jpg", tmp_path / "a.jpg", tmp_path / "a.webp"]
    found, others = masks_of(tmp_path / "masks", images)
    assert [found[image].stem for image in images] == [split, "a", "a"]
    assert [path.name for path in others] == ["of-nothing.png"]
    (tmp_path / "masks" / "a.bmp").write_bytes(b"x")
    with pytest.raises(ConfigError, match="have one stem"):
        masks_of(tmp_path / "masks", images)
