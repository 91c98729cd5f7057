"""Precision and recall of a set of features by nearest neighbours (Kynkäänniemi et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def covered(points: Tensor, support: Tensor, k: int = 3) -> float:
    """The share of `points` that lie in a ball around a member of `support` (Equation 1).

    Each member's ball reaches to its `k`-th nearest fellow. With painted works as points and an
    artist's own as support this is precision, with the two exchanged recall (Equation 2). The paper
    uses k = 3 on 50 000 images.

    Parameters:
        points: Features (N, D), N at least 1.
        support: Features (M, D), M above `k`.
        k: Which neighbour a ball reaches to, at least 1.

    Returns a value in [0, 1]. Balls shrink as M grows, so only values of equal N and M may be
    compared. Computed in float64. Raises ValueError where M or N is too small.
    """
    import torch

    if k < 1 or len(support) <= k or not len(points):
        raise ValueError(
            f"neighbour {k} needs more than {k} features in the support and one point, not"
            f" {len(support)} and {len(points)}"
        )
    members = support.double()
    # Distances by differences: the product form loses those of points that coincide.
    exact = "donot_use_mm_for_euclid_dist"
    within = torch.cdist(members, members, compute_mode=exact)
    radii = within.kthvalue(k + 1, dim=1).values  # the nearest is the member itself
    across = torch.cdist(points.double(), members, compute_mode=exact)
    return float((across <= radii).any(dim=1).double().mean())
