"""Results of the preset quick with figures that nobody measured."""

import json

import pytest

from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.board_meta import board_meta
from impress_bench.benchmark.harness.runs.provenance import provenance
from impress_bench.benchmark.harness.runs.tables import frames_of, save_frames


def _made_up(folder, protections, start):
    preset = load_preset("quick").override(
        {}, tasks=["malicious-editing"], protections=protections, purifiers=["none", "resize"]
    )
    plan = make_plan(preset, Registry())
    frames = frames_of(plan, {})
    frames.cells["value"] = [start + at / 1000 for at in range(len(frames.cells))]
    frames.cells["state"], frames.cells["reason"] = "done", ""
    folder.mkdir(parents=True)
    save_frames(frames, folder)
    document = {**provenance(plan), "boards": board_meta(plan).stored()}
    (folder / "provenance.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def plugins(third_parties, monkeypatch):
    """Third parties' packages are installed here."""
    monkeypatch.syspath_prepend(str(third_parties))


@pytest.fixture
def made_up(plugins):
    """`made_up(folder, protections, start)` is the folder of such a run."""
    return _made_up
