"""Plots as files, in the form that the name of the file says."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from impress_bench.leaderboard.render import write_bytes

#: What a file says of its making: nothing, so that equal plots are equal bytes.
UNDATED = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def save(figure: Figure, path: Path, dpi: int) -> Path:
    """Write a plot as PNG or SVG, by the suffix of `path`; `dpi` is the resolution of a PNG. Text
    of an SVG is drawn as outlines, which look alike wherever it is opened. Returns `path`."""
    form = path.suffix.removeprefix(".")
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(drawn, format=form, dpi=dpi, facecolor="white", metadata=UNDATED[form])
    return write_bytes(path, drawn.getvalue())
