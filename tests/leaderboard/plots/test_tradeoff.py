"""Robustness against visibility: which points are drawn, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from impress_bench.leaderboard import Layout, write_boards
from impress_bench.leaderboard.html.scatter import values
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.plots.tradeoff import Point, figure_of, look_of, points_of

EMPTY = pd.DataFrame()
WEAK, STRONG = "glaze[linf=8/255]", "glaze[linf=16/255]"


@pytest.fixture
def swept(build_cells: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """GLAZE at two budgets; the images of a subject count once."""
    cells = build_cells(
        {
            ("identity", "none"): [0.8, 0.8],
            (WEAK, "none"): [0.7, 0.6],
            (STRONG, "none"): [0.4, 0.4],
            (STRONG, "impress"): [0.6, 0.8],
        }
    )
    rows = [
        ("style-mimicry", subject, name, image, 0.03, 1.0, lpips, "done")
        for name, values in {
            "identity": {"artist-0": [0.0], "artist-1": [0.0]},
            WEAK: {"artist-0": [0.02, 0.04], "artist-1": [0.05]},
            STRONG: {"artist-0": [0.1], "artist-1": [0.2]},
        }.items()
        for subject, measured in values.items()
        for image, lpips in enumerate(measured)
    ]
    columns = ["task", "subject", "protection", "image", "linf", "l2", "lpips", "state"]
    return cells, pd.DataFrame(rows, columns=columns)


def test_points_are_means_over_subjects(swept: Any, meta: Any) -> None:
    layout = Layout(BoardMeta.of(meta))
    metric = layout.metrics("style-mimicry", ["clip-top3"])[0]
    points = {p.protection: p for p in points_of(*swept, layout, "style-mimicry", metric)}
    assert points[WEAK].visibility == pytest.approx(0.04)
    assert points[WEAK].scores == {"none": pytest.approx(0.65)}
    assert points[STRONG].scores == {"none": pytest.approx(0.4), "impress": pytest.approx(0.7)}
    assert points["identity"].visibility == 0
    assert not any(point.partial for point in points.values())


def test_points_of_some_subjects_are_crosses(swept: Any, meta: Any, tmp_path: Path) -> None:
    cells, protections = swept
    purified = (cells["protection"] == STRONG) & (cells["purifier"] == "impress")
    cells = cells.assign(value=cells["value"].mask(purified, 0.7))
    lacking = (cells["protection"] == STRONG) & (cells["subject"] == "artist-1")
    layout, some = Layout(BoardMeta.of(meta)), cells[~(lacking & (cells["purifier"] == "impress"))]
    metric = layout.metrics("style-mimicry", ["clip-top3"])[0]
    points = points_of(some, protections, layout, "style-mimicry", metric)
    assert {point.protection: point.partial for point in points if point.partial} == {
        STRONG: {"impress"}
    }
    for folder, shown in (("whole", cells), ("some", some)):
        write_boards(shown, protections, EMPTY, meta, tmp_path / folder)
        text = (tmp_path / folder / "boards/LEADERBOARD.md").read_text(encoding="utf-8")
        assert ("a cross where not every subject was run" in text) == (folder == "some")
    whole, part = (
        (tmp_path / folder / "figures/tradeoff-style-mimicry.png").read_bytes()
        for folder in ("whole", "some")
    )
    assert whole != part, "the means are the same, the marks are not"
    rows = {spec: told for _, spec, told in values(points, layout, metric, {})}
    assert rows[STRONG][-1].endswith(" (not all subjects)")
    assert "subjects" not in "".join(rows[WEAK])


def test_the_picture_is_drawn_and_shown(swept: Any, meta: Any, tmp_path: Path) -> None:
    paths = write_boards(*swept, EMPTY, meta, tmp_path)
    picture = tmp_path / "figures" / "tradeoff-style-mimicry.png"
    assert picture in paths
    assert Image.open(picture).size[0] > 500
    text = (tmp_path / "boards/LEADERBOARD.md").read_text(encoding="utf-8")
    assert "](../figures/tradeoff-style-mimicry.png)" in text
    before = picture.read_bytes()
    write_boards(*swept, EMPTY, meta, tmp_path)
    assert picture.read_bytes() == before


def test_one_protection_makes_no_picture(build_cells: Any, meta: Any, tmp_path: Path) -> None:
    write_boards(build_cells({("glaze", "none"): [0.4]}), EMPTY, EMPTY, meta, tmp_path)
    assert not list(tmp_path.glob("figures/tradeoff*"))


def test_the_metric_that_conclusions_rest_on_is_drawn(
    swept: Any, meta: Any, tmp_path: Path
) -> None:
    cells, protections = swept
    other = cells.assign(metric="style-score")
    metrics = [*meta["metrics"]["style-mimicry"]]
    metrics.append(
        {"name": "style-score", "title": "Style", "higher_is_better": True, "primary": True}
    )
    both = pd.concat([cells, other], ignore_index=True)
    write_boards(both, protections, EMPTY, meta | {"metrics": {"style-mimicry": metrics}}, tmp_path)
    text = (tmp_path / "boards/LEADERBOARD.md").read_text(encoding="utf-8")
    assert "![Style mimicry: Style against visibility]" in text


def test_budgets_are_joined_and_other_settings_are_not(swept: Any, meta: Any) -> None:
    layout = Layout(BoardMeta.of(meta))
    metric = layout.metrics("style-mimicry", ["clip-top3"])[0]
    points = points_of(*swept, layout, "style-mimicry", metric)

    def joined(points: list[Point]) -> list[list[float]]:
        axes = figure_of(points, layout, metric).axes[0]
        return [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) > 1]

    assert joined(points) == [[pytest.approx(0.04), pytest.approx(0.15)]]
    alike = [point._replace(visibility=min(point.visibility, 0.045)) for point in points]
    assert joined(alike) == []


def test_looks_are_unlike() -> None:
    looks = [look_of(place) for place in range(80)]
    assert len(set(looks)) == 80
    assert "X" not in {marker for _, marker in looks}, "it marks what was not run for all"


@pytest.mark.parametrize("families", [2, 31, 64])
def test_the_legend_is_whole_and_lies_on_the_canvas(
    build_cells: Any, meta: Any, families: int
) -> None:
    """For thirty families it ran off the picture."""
    names = [f"cloak-{place}-with-a-rather-long-name" for place in range(families)]
    cells = build_cells({(name, "none"): [0.5, 0.6] for name in names})
    rows = [("style-mimicry", "artist-0", name, 0, 0.03, 1.0, 0.1, "done") for name in names]
    columns = ["task", "subject", "protection", "image", "linf", "l2", "lpips", "state"]
    layout = Layout(BoardMeta.of(meta))
    metric = layout.metrics("style-mimicry", ["clip-top3"])[0]
    points = points_of(cells, pd.DataFrame(rows, columns=columns), layout, "style-mimicry", metric)
    figure = figure_of(points, layout, metric)
    figure.canvas.draw()
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert sorted(texts) == sorted(names)
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.width
    (axes,) = figure.axes
    assert box.y1 <= axes.get_window_extent().y0
    assert axes.get_window_extent().height > 300, "the panels keep their height"
