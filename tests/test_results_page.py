"""Figures in README and docs/results.md are those of the stored results."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md")
filled = runpy.run_path(str(ROOT / "tools" / "results_page.py"))["filled"]


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_is_the_stored_one(page):
    text = (ROOT / page).read_text()
    assert text.count("<!--= ") == text.count("<!--/-->") > 0
    assert filled(text) == text, "run `python tools/results_page.py README.md docs/results.md`"


def test_a_difference_is_paired_and_has_students_interval():
    """Against scipy's paired test on the same cells."""
    pd, stats = pytest.importorskip("pandas"), pytest.importorskip("scipy.stats")
    cells = pd.read_parquet(ROOT / "leaderboard" / "results" / "paper" / "cells.parquet")
    cells = cells[(cells["metric"] == "clip-top1") & (cells["purifier"] == "none")]
    sides = cells.pivot_table(index="subject", columns="protection", values="value")
    test = stats.ttest_rel(100 * sides["glaze"], 100 * sides["random-noise"])
    low, high = test.confidence_interval()
    mean = 100 * (sides["glaze"] - sides["random-noise"]).mean()
    text = filled("<!--= paper clip-top1: glaze - random-noise --><!--/-->")
    assert f">{mean:+.1f} [{low:+.1f}, {high:+.1f}]<" in text


def test_a_wrong_figure_is_noticed():
    page = (ROOT / "docs" / "results.md").read_text()
    wrong = re.sub(r"-->[-+]?\d", "-->9", page, count=1)
    assert wrong != page
    assert filled(wrong) == page


def test_what_a_run_lacks_is_named():
    with pytest.raises(LookupError, match="paper has no psnr of 'no-such'"):
        filled("<!--= paper psnr: no-such --><!--/-->")
