"""The picture of reconstruction errors: readable labels, and no AUC of a single subject."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from impress_bench.leaderboard import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.plots.inconsistency import plot_inconsistency
from impress_bench.leaderboard.schema import INSPECTIONS

TASK = "style-mimicry"


@pytest.fixture
def drawn(meta: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`drawn(subjects, decades)` is the figure of errors that span so many decades."""
    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )

    def draw(subjects: int, decades: float) -> Figure:
        rows = [
            (TASK, f"artist-{subject}", protection, "none", str(image), measure, value)
            for subject in range(subjects)
            for protection in ("identity", "glaze")
            for measure in ("vae-error", "ldm-error")
            for image, value in enumerate(np.geomspace(10**-4, 10 ** (decades - 4), 5))
        ]
        layout = Layout(BoardMeta.of(meta))
        assert plot_inconsistency(INSPECTIONS.frame(rows), layout, tmp_path / "i.png")
        return figures[-1]

    return draw


@pytest.mark.parametrize("decades", [0.5, 1, 2, 3, 4])
def test_labels_of_an_axis_do_not_overlap(drawn: Any, decades: float) -> None:
    figure = drawn(2, decades)
    for axes in figure.axes:
        low, high = axes.get_xlim()
        labels = [
            label.get_window_extent()
            for label in axes.get_xticklabels()
            if label.get_text() and low <= label.get_position()[0] <= high
        ]
        assert labels
        boxes = sorted((box.x0, box.x1) for box in labels)
        for (_, end), (start, _) in pairwise(boxes):
            assert end < start
    names = sorted((a.xaxis.label.get_window_extent() for a in figure.axes), key=lambda b: b.x0)
    assert names[0].x1 < names[1].x0


def test_one_subject_has_no_auc(drawn: Any) -> None:
    texts = {n: [t.get_text() for axes in drawn(n, 1).axes for t in axes.texts] for n in (1, 2)}
    assert texts[1] == []
    assert texts[2] == ["0.50", "AUC"] * 2
