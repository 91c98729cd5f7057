"""Plots in both forms: drawn of the same tables, and equal bytes for equal ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pandas as pd
from PIL import Image

from impress_bench.leaderboard.schema import INSPECTIONS, PROTECTIONS
from impress_bench.leaderboard.write import write_plots

HALF, MOST = "partial[of=glaze,share=0.5]", "partial[of=glaze,share=0.9]"
TASK = "style-mimicry"


def tables(build_cells: Any) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rows = {("identity", "none"): [0.8, 0.8], (HALF, "none"): [0.6, 0.8]}
    rows |= {(MOST, "none"): [0.5, 0.5], ("glaze", "none"): [0.2, 0.4]}
    moved = [
        (TASK, f"artist-{at}", name, "a", 0.03, 1.0, lpips, "done")
        for name, lpips in (("glaze", 0.05), ("identity", 0.0))
        for at in range(2)
    ]
    seen = [
        (TASK, f"artist-{at}", name, "none", str(image), "vae-error", 0.01 + 0.001 * image)
        for name in ("identity", "glaze")
        for at in range(2)
        for image in range(3)
    ]
    return build_cells(rows), PROTECTIONS.frame(moved), INSPECTIONS.frame(seen)


def test_every_plot_has_both_forms(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    given = (*tables(build_cells), meta)
    paths = write_plots(*given, tmp_path, ("png", "svg"))
    names = {f"inconsistency.{form}" for form in ("png", "svg")}
    names |= {f"{kind}-{TASK}.{form}" for kind in ("tradeoff", "shares") for form in ("png", "svg")}
    assert {path.name for path in paths} == names
    again = write_plots(*given, tmp_path / "again", ("png", "svg"))
    assert [one.read_bytes() for one in paths] == [one.read_bytes() for one in again]
    for path in paths:
        if path.suffix == ".svg":
            assert Xml.fromstring(path.read_bytes()).tag == "{http://www.w3.org/2000/svg}svg"
        else:
            assert Image.open(path).format == "PNG"


def test_a_plot_of_a_board_that_is_not_wanted_is_not_drawn(
    build_cells: Any, meta: Any, tmp_path: Path
) -> None:
    wanted = {**meta, "boards": ["glance"]}
    paths = write_plots(*tables(build_cells), wanted, tmp_path, ("svg",))
    assert not [path for path in paths if path.stem == "inconsistency"]
