"""Masks as people save them: white on what is kept, or refused with the reason."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from impress_bench.benchmark.cli import main
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.datasets.masks import read_mask
from impress_bench.benchmark.datasets.photo_folders import PhotoFolder
from impress_bench.benchmark.datasets.pictures import UnreadablePictureError

HEAD = np.zeros((48, 64), bool)
HEAD[10:38, 16:44] = True


def palette(*colours):
    image = Image.fromarray(HEAD.astype("u1"), "L")
    image.putpalette([level for colour in colours for level in colour])
    return image


def with_alpha(levels, alpha):
    grey = np.broadcast_to(np.asarray(levels, "u1"), HEAD.shape)
    return Image.fromarray(np.dstack([grey, grey, grey, alpha]).astype("u1"))


WHITE_ON_BLACK = Image.fromarray(HEAD.astype("u1") * 255)
TAKEN = {
    "grey": WHITE_ON_BLACK,
    "bits": WHITE_ON_BLACK.convert("1"),
    "colour": WHITE_ON_BLACK.convert("RGB"),
    "palette": palette((0, 0, 0), (255, 255, 255)),
    "yellow": palette((40, 0, 40), (255, 255, 0)),
    "deep": Image.fromarray(HEAD.astype("u2") * 65535),
    "opaque-la": WHITE_ON_BLACK.convert("LA"),
    "alpha-agrees": with_alpha(HEAD * 255, HEAD * 255),
    "cmyk": WHITE_ON_BLACK.convert("RGB").convert("CMYK"),
}
REFUSED = {
    "zero-and-one": (Image.fromarray(HEAD.astype("u1")), "keeps nothing.*multiply them by 255"),
    "dark-palette": (palette((0, 0, 0), (128, 0, 0)), "keeps nothing.*brightest value is 128"),
    "empty": (Image.new("L", (64, 48)), "keeps nothing"),
    "full": (Image.new("L", (64, 48), 255), "keeps everything"),
    "alpha-of-white": (with_alpha(255, HEAD * 255), "keeps everything.*alpha channel is not read"),
    "alpha-of-black": (with_alpha(0, HEAD * 255), "keeps nothing.*alpha channel is not read"),
    "la": (with_alpha(255, HEAD * 255).convert("LA"), "keeps everything.*alpha channel"),
    "alpha-inverted": (with_alpha(HEAD * 255, ~HEAD * 255), "one thing by its colours and another"),
}


def saved(image, folder, name="a"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{'tif' if image.mode == 'CMYK' else 'png'}"
    image.save(path)
    return path


@pytest.mark.parametrize("name", TAKEN)
def test_white_is_what_is_kept(tmp_path, name):
    assert np.array_equal(read_mask(saved(TAKEN[name], tmp_path)), HEAD)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_keep_everything_or_nothing_is_refused(tmp_path, name):
    image, told = REFUSED[name]
    with pytest.raises(UnreadablePictureError, match=told):
        read_mask(saved(image, tmp_path))


@pytest.fixture
def photo(tmp_path):
    saved(Image.linear_gradient("L").resize((64, 48)).convert("RGB"), tmp_path / "photos")
    return tmp_path / "photos"


@pytest.mark.parametrize("name", ["zero-and-one", "la", "full", "alpha-of-black"])
def test_protect_and_run_say_the_same(photo, tmp_path, name, monkeypatch, capsys):
    image, told = REFUSED[name]
    saved(image, photo / "masks")
    with pytest.raises(PluginError, match=told):
        PhotoFolder(photo, 32).subject("a")
    arguments = ["protect", photo, tmp_path / "out", "--protection", "random-noise", "--masks"]
    monkeypatch.setattr(sys, "argv", ["impress-bench", *map(str, [*arguments, photo / "masks"])])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err.replace("\n", " ")
    assert ended.value.code == 1
    assert told.partition(".*")[0] in said
    assert not list((tmp_path / "out").iterdir())
