"""Boards that a run writes while it is under way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from impress_bench.benchmark.harness.runs import run as runs
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.leaderboard import write_boards

MINI = Path(__file__).parents[4] / "leaderboard/results/mini"
CELL = ["task", "subject", "protection", "purifier", "seed"]


@pytest.mark.parametrize(
    ("share", "scattered"), [(0.1, False), (0.2, False), (0.3, True), (0.6, False)]
)
def test_any_part_of_a_run_has_boards(share, scattered, tmp_path):
    """Of a run of several tasks, subjects and seeds: what is done comes in the order of the plan,
    or, with several workers, here and there."""
    part = read_part(MINI)
    cells = part.frames.cells.reset_index(drop=True)
    place = cells.groupby(CELL, sort=False).ngroup()
    rank = np.random.default_rng(0).permutation(place.nunique()) if scattered else np.arange(10**6)
    missing = rank[place] >= share * place.nunique()
    assert 0 < missing.sum() < len(cells)
    cells.loc[missing, ["value", "state", "reason"]] = [np.nan, "missing", None]
    boards = write_boards(cells, *part.frames[1:3], part.meta, tmp_path, notes=part.frames.notes)
    assert tmp_path / "boards/worst-case.md" in boards


def test_a_preview_that_fails_ends_no_run(bench, monkeypatch):
    written = []

    def write(*arguments, **options):
        written.append(1)
        if len(written) < 3:
            raise ValueError("no purifier yet")
        if len(written) == 4:
            monkeypatch.setattr(runs, "REFRESH_S", 3600.0)
        return write_boards(*arguments, **options)

    monkeypatch.setattr(runs, "REFRESH_S", 0.0)
    monkeypatch.setattr(runs, "write_boards", write)
    result = bench.run(subjects=1)
    assert len(written) > 4, "previews go on, and then comes the whole"
    assert set(result.states) == {"done"}
    log = (bench.tmp_path / "run/log.txt").read_text()
    assert log.count("so far cannot be written: no purifier yet") == 1
    assert log.count("Traceback") == 1


def test_an_interrupted_run_ends_as_one_whatever_its_boards(bench, monkeypatch):
    def write(*arguments, **options):
        raise OSError(28, "No space left on device")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "write_boards", write)
    monkeypatch.setattr(runs, "write_figures", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run(subjects=1)
    assert "cannot be written: [Errno 28]" in (bench.tmp_path / "run/log.txt").read_text()
