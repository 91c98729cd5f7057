"""Whatever a plugin does to its process, the cells of all others keep their bytes.

What it merely hands back is in test_answers.py, which starts no process for it.
"""

import os

import numpy as np
import pandas as pd
import pytest
from bombs import bomb

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.harness.execution.isolation import _pixels

pytestmark = pytest.mark.timeout(1800)  # each run within a limit of its own
PLACE = ["task", "subject", "protection", "purifier", "seed", "metric"]
#: Long enough for what ends by itself, on a slow machine with much else to do.
LIMITS = """
time_limit_s = 120.0
memory_limit_gb = 2.0
"""
#: For what ends by nothing else, beside what still has to end in time.
SHORT = LIMITS.replace("120.0", "45.0")

#: What a misbehaviour comes to, and a word of the reason that a board gives.
PROTECTIONS = {
    "hostile[how=fail]": ("failed", "on purpose"),
    "hostile[how=leave]": ("failed", "SystemExit"),
    "hostile[how=vanish]": ("failed", "left no result"),
    "hostile[how=crash]": ("failed", "died by signal 11"),
    "hostile[how=stop-others]": ("failed", "died by signal 15"),
    "hostile[how=allocate]": ("failed", "Memory"),
    "hostile[how=chatter]": ("failed", "File too large"),
    "hostile[how=meddle]": ("", ""),
    "hostile[how=kill-parents]": ("failed", "nobody died"),
    "hostile[how=detach]": ("done", ""),
    "hostile[how=share-memory]": ("failed", "held more than 2 GiB of memory"),
    "hostile[how=hide-memory]": ("failed", "held more than 2 GiB of memory"),
    "hostile[how=fill-shared-memory]": ("failed", ""),
    "hostile[how=answer-lies]": ("failed", "left no result (answer.json: lpips: Extra inputs"),
    "hostile[how=answer-links]": ("failed", "out/000.png: Too many levels of symbolic links"),
    "hostile[how=call-out]": ("failed", "Network is unreachable"),
    "hostile[how=peek]": ("done", ""),
    "hostile[how=forge-store]": ("done", ""),
    "hostile-liar": ("over-budget", "lpips is "),
    "hostile-import": ("failed", "ended with 3"),
}
HONEST = ["clean", "shift", "sample-cloak"]
ENDLESS = {
    "hostile[how=hang]": ("timeout", "ran past 45 s"),
    "hostile[how=hold-lock]": ("timeout", "ran past 45 s"),
}
PURIFIERS = {
    "hostile[how=crash]": ("failed", "died by signal 11"),
    "hostile[how=poison]": ("failed", "finite"),
    "hostile[how=meddle]": ("", ""),
}


@pytest.fixture
def bench(command, preset_file, site, third_parties, tmp_path):
    """Runs one subject of the fake preset, with what limits and options say."""

    def run(out, limits, *options):
        content = preset_file.read_text().replace("subjects = 2", "subjects = 1" + limits)
        if limits:
            content = content.replace("isolate = false", "isolate = true")
        preset = tmp_path / f"{out}.toml"
        preset.write_text(content)
        folder = tmp_path / out
        process = command(
            "run", "--preset", preset, "--out", folder, "--quiet", "--store", tmp_path / f"s-{out}",
            "--workers", "2", *options, PYTHONPATH=f"{site}{os.pathsep}{third_parties}",
            SECRET_TOKEN="x", FAKE_DELAY="0",
        )  # fmt: skip
        _, errors = process.communicate(timeout=850)
        cells = pd.read_parquet(folder / "cells.parquet")
        return process.returncode, errors, cells.set_index(PLACE).sort_index()

    return run


@pytest.fixture(scope="module")
def known():
    """What was measured before."""
    return {}


@pytest.fixture
def alone(bench, known):
    """All honest cells, in one process: isolation changes no result."""
    if "alone" not in known:
        more = ("--protections", ",".join(HONEST), "--purifiers", "keep,smooth,none")
        code, errors, known["alone"] = bench("alone", "", *more)
        assert code == 0, errors
    return known["alone"]


def check_unharmed(cells, alone, protections, purifier="keep"):
    """The honest cells of those protections and that purifier, and those of the controls, which
    have no purifier, are the same bytes."""
    places = alone.index.to_frame()
    kept = places["protection"].isin(protections) & (places["purifier"] == purifier)
    assert set(places["protection"][kept]) == set(protections)
    controls = places["purifier"] == ""
    assert controls.any()
    alone = alone.loc[kept | controls]
    common = cells.loc[alone.index]
    assert common["value"].to_numpy().tobytes() == alone["value"].to_numpy().tobytes()
    assert common.equals(alone)


def check_endings(cells, column, expected):
    """Each misbehaviour has its state and its reason."""
    for name, (state, reason) in expected.items():
        found = cells.loc[cells.index.get_level_values(column) == name]
        assert len(found), name
        if state:
            told = found["reason"].iloc[0]
            assert set(found["state"]) == {state}, (name, told)
            assert reason in told, (name, told)


def test_hostile_protections(bench, alone, third_parties, tmp_path):
    (third_parties / "hostile_cloak" / "store.txt").write_text(str(tmp_path / "s-beside"))
    names = ",".join([*HONEST, *PROTECTIONS])
    more = ("--protections", names, "--purifiers", "keep")
    code, errors, cells = bench("beside", LIMITS, *more)
    assert code == 1, errors
    assert "Traceback" not in errors
    check_unharmed(cells, alone, HONEST)
    check_endings(cells, "protection", PROTECTIONS)


def test_endless_protections(bench, alone):
    """Beside an honest third party, whose process runs at the same time."""
    names = ",".join(["shift", *ENDLESS])
    code, errors, cells = bench("late", SHORT, "--protections", names, "--purifiers", "none")
    assert code == 1, errors
    check_unharmed(cells, alone, ["shift"], "none")
    check_endings(cells, "protection", ENDLESS)


def test_hostile_purifiers(bench, alone):
    names = ",".join(["keep", *PURIFIERS])
    more = ("--protections", "clean,shift", "--purifiers", names)
    code, errors, cells = bench("beside", LIMITS, *more)
    assert code == 1, errors
    check_unharmed(cells, alone, ["clean", "shift"])
    check_endings(cells, "purifier", PURIFIERS)


def test_a_picture_of_more_pixels_than_pillow_opens_is_no_result(tmp_path):
    """Not an OSError: Pillow has an exception of its own for it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000.png").write_bytes(bomb())
    like = ImageSet(np.zeros((1, 8, 8, 3), np.uint8), ("000",), ())
    with pytest.raises(PluginError, match="could be decompression bomb"):
        _pixels("protection evil", tmp_path, "000", like)
