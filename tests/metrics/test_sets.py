"""Metrics of two sets of features, beside naive versions and closed forms."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from impress_bench.metrics import covered, frechet_distance


def draw(n, m, dimensions=5, shift=0.8):
    numbers = torch.Generator().manual_seed(0)
    painted = torch.randn(n, dimensions, generator=numbers) + shift
    return painted, torch.randn(m, dimensions, generator=numbers)


@pytest.mark.parametrize("k", [1, 3])
def test_covered_beside_loops(k):
    points, support = draw(30, 40)
    within = 0
    for point in points.double():
        found = False
        for member in support.double():
            radius = sorted((other - member).norm() for other in support.double())[k]
            found |= bool((point - member).norm() <= radius)
        within += found
    assert 0 < within < 30
    assert covered(points, support, k) == within / 30


def test_covered_at_its_ends():
    points, support = draw(30, 30)
    assert covered(support, support, 1) == 1
    assert covered(points + 100, support) == 0
    # Half of the points are a member each, the other half far away.
    assert covered(torch.cat([support[:10], points[:10] + 100]), support) == 0.5
    with pytest.raises(ValueError, match=r"neighbour 3 needs more than 3 .*, not 3 and 30"):
        covered(points, support[:3])


def test_frechet_distance_beside_a_matrix_root():
    painted, reference = (part.double().numpy() for part in draw(40, 60))
    first, second = (np.cov(part, rowvar=False) for part in (painted, reference))
    apart = ((painted.mean(0) - reference.mean(0)) ** 2).sum()
    expected = apart + np.trace(first + second - 2 * sqrtm(first @ second).real)
    found = frechet_distance(*map(torch.from_numpy, (painted, reference)))
    assert found == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_in_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2; and of a set to itself moved, the square of the way."""
    x, y = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [6.0], [9.0]])
    expected = (2 - 5) ** 2 + (2**0.5 - 21**0.5) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    points = draw(30, 30)[0]
    assert frechet_distance(points + 2, points) == pytest.approx(5 * 4, rel=1e-6)
    with pytest.raises(ValueError, match="two features on each side, not 1 and 3"):
        frechet_distance(x[:1], y)
