"""Squared maximum mean discrepancy between two sets of features, without bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


def squared_mmd(
    painted: Tensor,
    reference: Tensor,
    kernel: Literal["polynomial", "gaussian"] = "polynomial",
    sigma: float = 10.0,
) -> float:
    """The unbiased estimate of the squared MMD (Gretton et al. 2012, equation 3).

    Parameters:
        painted: Features (N, D) of one set, N at least 2.
        reference: Features (M, D) of the other, M at least 2.
        kernel: "polynomial", (x . y / D + 1)^3, that of KID (Binkowski et al. 2018), or
            "gaussian", exp(-|x - y|^2 / (2 sigma^2)), that of CMMD (Jayasumana et al. 2024), which
            uses sigma 10 on normalised CLIP features and reports 1000 times the value.
        sigma: Bandwidth of the Gaussian kernel, in the units of the features.

    Returns 0 in expectation for sets drawn from one distribution, so single values may be negative.
    Computed in float64. Raises ValueError for sets of fewer than two.
    """
    import torch

    x, y = painted.double(), reference.double()
    n, m = len(x), len(y)
    if n < 2 or m < 2:
        raise ValueError(f"an unbiased MMD needs two features on each side, not {n} and {m}")

    def similarity(a: Tensor, b: Tensor) -> Tensor:
        if kernel == "gaussian":
            return (-torch.cdist(a, b).square() / (2 * sigma**2)).exp()
        return (a @ b.T / a.shape[1] + 1) ** 3

    within = [
        (own.sum() - own.diagonal().sum()) / (size * (size - 1))
        for own, size in ((similarity(x, x), n), (similarity(y, y), m))
    ]
    return float(within[0] + within[1] - 2 * similarity(x, y).mean())
