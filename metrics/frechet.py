"""Fréchet distance between two sets of features: FID (Heusel et al. 2017) on any features."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def frechet_distance(painted: Tensor, reference: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the means and covariances of both sets.

    Parameters:
        painted: Features (N, D) of one set, N at least 2.
        reference: Features (M, D) of the other, M at least 2.

    Returns at least 0 but for rounding; lower is closer. Computed by torchmetrics in float64. It is
    biased: two sets drawn from one distribution lie apart by a term that falls with 1/N and 1/M, so
    only values of equal N and M may be compared. Raises ValueError for sets of fewer than two.
    """
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    n, m = len(painted), len(reference)
    if n < 2 or m < 2:
        raise ValueError(f"a covariance needs two features on each side, not {n} and {m}")
    given = torch.nn.Identity()
    given.num_features = painted.shape[1]  # type: ignore[assignment]
    distance = FrechetInceptionDistance(feature=given).set_dtype(torch.float64)
    distance.update(reference.double(), real=True)
    distance.update(painted.double(), real=False)
    return float(distance.compute())
