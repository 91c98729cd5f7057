"""Continuous scores of style against loops in plain Python."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from impress_bench.benchmark.tasks import style_scores


@pytest.fixture
def embeddings():
    draw = torch.Generator().manual_seed(0)
    return [normalize(torch.randn(n, 6, generator=draw), dim=-1) for n in (4, 5, 3)]


def test_margin_is_the_own_label_less_the_best_other():
    rows = [[0.5, 0.25, 0.375], [0.125, 0.75, 0.25]]
    assert style_scores.margin(torch.tensor(rows), own=0) == pytest.approx((0.125 - 0.625) / 2)
    assert rows[0][0] == 0.5


def test_centroid_margin_is_the_own_mean_less_the_nearest_other(embeddings):
    painted, own, other = embeddings

    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.hypot(*a) / math.hypot(*b)

    centroids = [[sum(column) / len(x) for column in zip(*x.tolist(), strict=True)]
                 for x in (own, other, -own)]  # fmt: skip
    expected = [
        cosine(x, centroids[0]) - max(cosine(x, c) for c in centroids[1:]) for x in painted.tolist()
    ]
    others = [other.mean(0), -own.mean(0)]
    found = style_scores.centroid_margin(painted, own.mean(0), others)
    assert found == pytest.approx(sum(expected) / 4, abs=1e-6)


def test_distance_is_a_thousand_times_the_unbiased_mmd(embeddings):
    painted, own, _ = (e.double().tolist() for e in embeddings)

    def kernel(a, b):
        return math.exp(-sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / 200)

    def within(x):
        pairs = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
        return sum(pairs) / len(pairs)

    across = [kernel(a, b) for a in painted for b in own]
    expected = 1000 * (within(painted) + within(own) - 2 * sum(across) / len(across))
    assert style_scores.distance(embeddings[0], embeddings[1]) == pytest.approx(expected, abs=1e-6)


def test_distance_alone_sees_a_style_in_excess():
    """Away from all others along the own direction: margins grow, and so does the distance."""
    own = normalize(torch.tensor([[1.0, 0.9, 0.1], [1.0, 1.1, 0.1], [1.0, 1.0, 0.1]]), dim=-1)
    labels = normalize(torch.tensor([[1.0, 0.2, 0.0], [0.0, 0.0, 1.0]]), dim=-1)
    excess = normalize(torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.01, 0.0]]), dim=-1)
    assert style_scores.margin(excess @ labels.T, 0) > style_scores.margin(own @ labels.T, 0)
    assert style_scores.distance(excess, own) > style_scores.distance(own[:2], own) + 1
