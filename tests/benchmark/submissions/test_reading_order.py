"""Which published set of results leads the page."""

from types import SimpleNamespace

import pandas as pd
import pytest

from impress_bench.benchmark.harness.runs.tables import Frames
from impress_bench.benchmark.submissions.publishing import publish as publishing
from impress_bench.benchmark.submissions.publishing.publish import publish
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import CELLS

NONE = pd.DataFrame()


def origin(preset, digest, day):
    return {
        "preset": {"name": preset},
        "packages": {"impress-bench": "0.1.0"},
        "started": f"2026-11-{day}T00:00:00+00:00",
        "device": "cpu",
        "models": {"target": {"name": "atelier", "digest": digest}},
    }


@pytest.fixture
def led_by(tmp_path, monkeypatch):
    """Which set leads a page, and the order of all, by their subjects, weights and days."""

    def titles(**sets):
        results = tmp_path / "results"
        parts = {}
        for name, (subjects, digest, day) in sets.items():
            (results / name).mkdir(parents=True)
            rows = [
                (task, f"s{i}", protection, "none", 0, "psnr", 20.0 + i, "done", None)
                for task, n in subjects.items()
                for i in range(n)
                for protection in ("random-noise", "glaze")
            ]
            frames = Frames(CELLS.frame(rows), NONE, NONE, NONE)
            metrics = {task: [{"name": "psnr", "higher_is_better": True}] for task in subjects}
            meta = BoardMeta(title=name, metrics=metrics)
            parts[name] = SimpleNamespace(
                folder=results / name, origins=[origin(name, digest, day)], meta=meta, frames=frames
            )
        monkeypatch.setattr(publishing, "read_part", lambda folder: parts[folder.name])
        page = tmp_path / "LEADERBOARD.md"
        publish(results, tmp_path / "submissions", page, tmp_path / "measured")
        found = page.read_text()
        lead = found.partition("**")[2].partition("**")[0]
        order = [line.removeprefix("## ") for line in found.splitlines() if line.startswith("## ")]
        return lead, [name for name in order if name in sets]

    return titles


def test_the_set_with_the_most_subjects_leads(led_by):
    lead, order = led_by(
        few=({"a": 6, "b": 6}, "1", 20), many=({"a": 24, "b": 8}, "1", 20), one=({"a": 9}, "1", 20)
    )
    assert lead == "many"
    assert order == ["many", "few", "one"]


def test_sets_that_cannot_conclude_and_those_on_several_models_follow(led_by):
    lead, order = led_by(
        all=({"a": 2, "b": 2}, "1", 20),
        generations=({"a": 90, "a[target=n]": 90}, "1", 20),
        partly=({"a": 90, "b": 3}, "1", 20),
        small=({"a": 6}, "1", 20),
    )
    assert lead == "small"
    assert order == ["small", "partly", "generations", "all"]


def test_an_earlier_version_of_the_model_does_not_lead_however_large(led_by):
    sets = {"old": ({"a": 90}, "1", 19), "sound": ({"a": 6}, "2", 20)}
    assert led_by(**sets)[0] == "sound"


def test_of_equal_dates_neither_version_is_the_earlier(led_by):
    assert led_by(large=({"a": 9}, "1", 20), less=({"a": 6}, "2", 20))[0] == "large"
