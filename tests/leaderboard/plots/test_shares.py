"""Curves against the share of protected works: their points, and when they are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from impress_bench.leaderboard import Layout, write_boards
from impress_bench.leaderboard.entries import collect
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.plots.shares import curves_of

EMPTY = pd.DataFrame()
HALF, MOST = "partial[of=glaze,share=0.5]", "partial[of=glaze,share=0.9]"
ROWS = {
    ("identity", "none"): [0.8, 0.8],
    (HALF, "none"): [0.6, 0.8],
    (MOST, "none"): [0.5, 0.5],
    ("glaze", "none"): [0.2, 0.4],
    ("glaze", "impress"): [0.6, 0.6],
    (HALF, "impress"): [0.7, 0.7],
    ("partial[of=mist,share=0.5]", "none"): [0.1, 0.1],
}


def test_a_curve_reaches_from_clean_to_all_protected(build_cells: Any, meta: Any) -> None:
    layout = Layout(BoardMeta.of(meta))
    metric = layout.metrics("style-mimicry", ["clip-top3"])[0]
    (curve,) = curves_of(collect(build_cells(ROWS), "style-mimicry"), layout, metric)
    assert (curve.protection, curve.purifier) == ("glaze", "none")
    means = {share: summary.mean for share, summary in curve.points.items()}
    assert means == pytest.approx({0: 0.8, 0.5: 0.7, 0.9: 0.5, 1: 0.3})
    assert curve.points[0.5].low < 0.7 < curve.points[0.5].high


def test_the_picture_is_drawn_and_shown(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    paths = write_boards(build_cells(ROWS), EMPTY, EMPTY, meta, tmp_path)
    picture = tmp_path / "figures" / "shares-style-mimicry.png"
    assert picture in paths
    assert Image.open(picture).size[0] > 500
    text = (tmp_path / "boards/LEADERBOARD.md").read_text(encoding="utf-8")
    assert "](../figures/shares-style-mimicry.png)" in text
    assert "share of works that GLAZE protects" in text


def test_one_share_makes_no_picture(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    rows = {key: values for key, values in ROWS.items() if key[0] != MOST}
    write_boards(build_cells(rows), EMPTY, EMPTY, meta, tmp_path)
    assert not list(tmp_path.glob("figures/shares*"))
