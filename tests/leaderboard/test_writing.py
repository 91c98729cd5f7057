"""Files of boards: whole or not at all, also where two processes write one folder."""

from __future__ import annotations

import os

import numpy as np

from impress_bench.leaderboard import render
from impress_bench.leaderboard.plots.strips import strip


def test_two_processes_may_write_one_file(tmp_path, monkeypatch):
    """The second writes and replaces all of its file while the first is about to replace it."""
    replace = os.replace

    def interrupted(source, target):
        monkeypatch.setattr(os, "replace", replace)
        render.write_text(target, "second\n")
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    path = render.write_text(tmp_path / "board.md", "first\n")
    assert path.read_text() == "first\n"
    assert [one.name for one in tmp_path.iterdir()] == ["board.md"]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    path = render.write_text(tmp_path / f"{'b' * 251}.csv", "text\n")
    assert path.read_text() == "text\n"


def test_a_picture_is_replaced_whole(tmp_path, monkeypatch):
    """What cannot be written leaves the former picture and no temporary file."""
    rows = [("clean", [np.zeros((4, 4, 3), np.uint8)])]
    path = strip(tmp_path / "one.png", rows, groups=[], title="")
    before = path.read_bytes()

    def refuse(source, target):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    try:
        strip(path, [("other", rows[0][1])], groups=[], title="")
    except OSError:
        pass
    else:
        raise AssertionError("not replaced by a rename")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["one.png"]
