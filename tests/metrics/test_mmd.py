"""Squared MMD against double loops over pairs, and against what it is in expectation."""

import math

import pytest
import torch

from impress_bench.metrics import squared_mmd


def naive(x, y, kernel):
    """Means over the pairs of unlike members within each set, less twice the mean across."""
    inner = [[kernel(a, b) for j, b in enumerate(x) if i != j] for i, a in enumerate(x)]
    outer = [[kernel(a, b) for j, b in enumerate(y) if i != j] for i, a in enumerate(y)]
    across = [kernel(a, b) for a in x for b in y]

    def mean(rows):
        values = [value for row in rows for value in row]
        return math.fsum(values) / len(values)

    return mean(inner) + mean(outer) - 2 * math.fsum(across) / len(across)


KERNELS = {
    "polynomial": lambda a, b: (float(a @ b) / len(a) + 1) ** 3,
    "gaussian": lambda a, b: math.exp(-float((a - b).square().sum()) / (2 * 1.5**2)),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_squared_mmd_against_loops_over_pairs(kernel):
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 4, generator=draw, dtype=torch.float64) for n in (5, 7))
    expected = naive(x, y + 1, KERNELS[kernel])
    assert squared_mmd(x, y + 1, kernel, sigma=1.5) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
def test_squared_mmd_is_unbiased(kernel):
    """Sets of three from one distribution: the mean over many draws is 0 within its error, which
    the biased estimate, at least 0 every time, is not."""
    draw = torch.Generator().manual_seed(1)
    sets = torch.randn(400, 2, 3, 4, generator=draw, dtype=torch.float64)
    values = torch.tensor([squared_mmd(x, y, kernel, 1.5) for x, y in sets])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
    assert (values < 0).any()


def test_squared_mmd_needs_two_on_each_side():
    with pytest.raises(ValueError, match="two features on each side, not 1 and 2"):
        squared_mmd(torch.zeros(1, 3), torch.zeros(2, 3))
