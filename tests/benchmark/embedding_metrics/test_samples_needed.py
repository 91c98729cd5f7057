"""tools/samples_needed.py: how sets are drawn, and when an effect counts as seen."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from impress_bench.benchmark.embedding_metrics.cmmd import Cmmd
from impress_bench.benchmark.embedding_metrics.precision_recall import Precision

TOOL = Path(__file__).parents[3] / "tools" / "samples_needed.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("samples_needed", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Spy(Cmmd):
    def compare(self, painted, reference):
        self.sets = painted.flatten().tolist(), reference.flatten().tolist()
        return 0.0


def test_sets_share_no_work_and_hold_the_share_of_the_other_artist(tool):
    own, other = torch.arange(20.0)[:, None], 100 + torch.arange(9.0)[:, None]
    spy = Spy()
    assert tool.values(spy, own, other, 10, 0.3, 2, np.random.default_rng(0)) == [0.0, 0.0]
    painted, reference = spy.sets
    assert len({*painted, *reference}) == 20
    assert [value >= 100 for value in painted] == [False] * 7 + [True] * 3
    assert max(reference) < 20


def test_an_effect_is_seen_beyond_95_percent_of_the_draws_without(tool):
    without = list(range(101))
    assert tool.power(Cmmd(), without, [95.0, 95.1, 200.0, 0.0]) == 0.5
    # Of a metric that is better if higher, the low values count.
    assert tool.power(Precision(), without, [5.0, 4.9, -100.0, 100.0]) == 0.5
    assert tool.power(Cmmd(), without, without) == pytest.approx(5 / 101)


def test_features_are_those_that_the_metrics_embed(tool, monkeypatch):
    raw = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) * 30
    for name, metric in tool.METRICS.items():
        monkeypatch.setattr(type(metric), "features", lambda self, images: raw)
        assert torch.equal(tool.features(name, raw), metric.embed(torch.zeros(6, 3, 64, 64))), name
