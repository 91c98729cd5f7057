"""The spreads that plans go by are those of the stored results."""

import runpy
import tomllib
from pathlib import Path

import pytest

from impress_bench.benchmark.harness.planning.spreads import published

ROOT = Path(__file__).parents[1]
FILE = ROOT / "benchmark" / "harness" / "planning" / "spreads.toml"
TOOL = runpy.run_path(str(ROOT / "tools" / "published_spreads.py"))


def test_the_file_is_what_the_recipe_writes():
    assert FILE.read_text() == TOOL["document"](), "run `python tools/published_spreads.py`"


def test_a_spread_is_that_of_the_stored_cells():
    """Computed anew from the parquet, of a metric that boards do not scale."""
    pd = pytest.importorskip("pandas")
    stored = tomllib.loads(FILE.read_text())["spread"]
    one = next(row for row in stored if row["protection"] == "photoguard-encoder")
    cells = pd.read_parquet(ROOT / "leaderboard" / "results" / one["preset"] / "cells.parquet")
    cells = cells[(cells["metric"] == one["metric"]) & (cells["purifier"] == "none")]
    sides = cells.pivot_table(index="subject", columns="protection", values="value")
    noise = "random-noise[match=photoguard-encoder,within=mask]"
    gaps = (sides[noise] - sides["photoguard-encoder"]).dropna()
    assert (one["subjects"], one["std"]) == (len(gaps), pytest.approx(gaps.std(), rel=1e-3))


def test_what_nobody_published_has_none():
    assert published("atelier", "style-mimicry", "style-score") is not None
    assert published("sd15", "style-mimicry", "style-score") is None
