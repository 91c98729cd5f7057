"""Picture strips: where the pixels go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impress_bench.leaderboard import strip
from impress_bench.leaderboard.plots.strips import amplified

RED = np.full((8, 6, 3), (200, 0, 0), np.uint8)
BLUE = np.full((8, 6, 3), (0, 0, 200), np.uint8)


def count(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((image == colour).all(axis=-1).sum())


@pytest.mark.parametrize("resample", ["nearest", "lanczos"])
def test_images_are_enlarged_whole(tmp_path: Path, resample: str) -> None:
    rows = [("Clean", [RED, RED]), ("Protected", [BLUE, None])]
    path = strip(tmp_path / "figures" / "s.png", rows, scale=3, resample=resample)  # type: ignore[arg-type]
    image = np.asarray(Image.open(path))
    assert count(image, (200, 0, 0)) == 2 * 8 * 6 * 9
    assert count(image, (0, 0, 200)) == 8 * 6 * 9
    # Soft edges of letters may have the grey of an empty tile too.
    assert count(image, (0xEC, 0xEC, 0xEC)) >= 8 * 6 * 9


def test_groups_stand_apart(tmp_path: Path) -> None:
    rows = [("L∞ ≤ 8/255", [RED, RED, BLUE, BLUE])]
    groups = [("Learned from", 2), ("Painted", 2)]
    path = strip(tmp_path / "s.png", rows, groups=groups, columns=list("abcd"), title="Strip")
    image = np.asarray(Image.open(path))
    line = image[(image == (200, 0, 0)).all(axis=-1).any(axis=1)][0]
    red, blue = (np.flatnonzero((line == c).all(axis=-1)) for c in ((200, 0, 0), (0, 0, 200)))
    assert blue[0] - red[-1] - 1 == 28
    assert red[12] - red[11] - 1 == 6


def test_a_long_label_is_wrapped_within_its_columns(tmp_path: Path) -> None:
    """No ink of the first group's label stands above the second group's columns."""
    tall = np.full((40, 40, 3), (0, 0, 200), np.uint8)
    heads = []
    for second in ("", "Edited"):
        groups = [("Photo as the editor gets it", 1), (second, 1)]
        path = strip(tmp_path / "s.png", [("", [tall, tall])], groups=groups, scale=3)
        image = np.asarray(Image.open(path))
        pixels = np.flatnonzero((image == (0, 0, 200)).all(axis=-1).any(axis=0))
        left = pixels[np.flatnonzero(np.diff(pixels) > 1)[0] + 1]
        top = np.flatnonzero((image == (0, 0, 200)).all(axis=-1).any(axis=1))[0]
        heads.append((image[: top - 8, left - 20 :] < 128).any(axis=-1).sum())
    assert heads[0] == 0
    assert heads[1] > 0


def test_a_group_without_images_stays_blank(tmp_path: Path) -> None:
    """Controls have nothing that they learned from: no grey tiles stand for it."""
    groups = [("Learned from", 2), ("Painted", 2)]
    rows = [("", [RED, RED, RED, None]), ("", [None, None, BLUE, BLUE])]
    image = np.asarray(Image.open(strip(tmp_path / "s.png", rows, groups=groups)))
    grey = (image == (0xEC, 0xEC, 0xEC)).all(axis=-1)
    red = (image == (200, 0, 0)).all(axis=-1)
    first = red[:, : red.any(axis=0).argmax() + 30].any(axis=1)
    assert grey[first].sum() >= 12 * 16
    blue = (image == (0, 0, 200)).all(axis=-1).any(axis=1)
    assert grey[blue].sum() == 0


def test_changes_are_amplified_on_grey() -> None:
    clean = np.full((2, 2, 3), 100, np.uint8)
    changed = clean.copy()
    changed[0, 0] = (104, 100, 40)
    shown = amplified(changed, clean, 8)
    assert shown[0, 0].tolist() == [160, 128, 0]
    assert (shown.reshape(-1, 3)[1:] == 128).all()


def test_equal_strips_are_equal_bytes(tmp_path: Path) -> None:
    one = strip(tmp_path / "a.png", [("Clean", [RED])]).read_bytes()
    assert one == strip(tmp_path / "b.png", [("Clean", [RED])]).read_bytes()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([None], "at least one"),
        ([RED.astype(np.float32)], "uint8"),
        ([RED, RED[:4]], "one size"),
    ],
)
def test_what_makes_no_strip(tmp_path: Path, images: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        strip(tmp_path / "s.png", [("Clean", images)])


def test_too_few_column_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column labels"):
        strip(tmp_path / "s.png", [("Clean", [RED, RED])], columns=["one"])
