"""The declaration of a metric: from a plugin's class, and to a document and back."""

import json

import pytest

from impress_bench.benchmark.metric import SHARE, MetricInfo
from impress_bench.metrics.base import SetMetric
from impress_bench.metrics.perceptual import PerceptualDistance


class Spread(SetMetric):
    title = "Spread"
    higher_is_better = False

    def compare(self, painted, reference):
        return float(painted.std() - reference.std())


def test_a_plugin_declares_by_class_attributes():
    assert MetricInfo.of(PerceptualDistance, "lpips") == MetricInfo("lpips", "LPIPS", False)
    assert MetricInfo.of(Spread, "s[k=1]") == MetricInfo("s[k=1]", "Spread", False, over="set")
    with pytest.raises(AttributeError, match="title"):
        MetricInfo.of(object(), "x")
    with pytest.raises(ValueError, match="metric x: over is 'image' or 'set', not 'all'"):
        MetricInfo("x", "X", True, over="all")


def test_a_declaration_survives_a_document():
    metric = MetricInfo("kid", "KID", False, over="set", images=12)
    assert MetricInfo.read(json.loads(json.dumps(metric.stored()))) == metric
    assert MetricInfo.read({"name": "x"}) == MetricInfo("x", "x", None)
    assert MetricInfo("x", "X", True, SHARE).percent
    assert not metric.percent
