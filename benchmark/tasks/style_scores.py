"""Continuous scores of style from unit image embeddings, which see what a label cannot.

A label says whether a style is the nearest one. It saturates, and it takes a style painted in
garish excess for more of the style. Three scores of painted works, each from embeddings that a
classifier computes anyway:

- margin: the cosine to the artist's own label less the largest to another label;
- centroid: the cosine to the mean of the artist's own works less the largest to another artist's;
- distance: CMMD (Jayasumana et al. 2024), 1000 times the unbiased squared MMD to the artist's own
  works; it alone grows when a style is overdriven rather than lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from impress_bench.metrics import squared_mmd

if TYPE_CHECKING:
    from torch import Tensor


def margin(similarities: Tensor, own: int) -> float:
    """The mean over images of the similarity to label `own` less the largest to another.

    Parameters:
        similarities: Cosines (N, L) of N images to L labels, L at least 2.
        own: Column of the artist's own label.
    """
    others = similarities.clone()
    others[:, own] = -2.0
    return float((similarities[:, own] - others.amax(1)).mean())


def centroid_margin(painted: Tensor, own: Tensor, others: Sequence[Tensor]) -> float:
    """The mean over images of the cosine to the own centroid less the largest to another's.

    Parameters:
        painted: Unit embeddings (N, D) of painted works.
        own: Centroid (D,) of the artist's own works, of any norm.
        others: Centroids (D,) of other artists' works, at least one.
    """
    import torch
    from torch.nn.functional import normalize

    rivals = normalize(torch.stack(list(others)), dim=-1)
    nearest = (painted @ rivals.T).amax(1)
    return float((painted @ normalize(own, dim=-1) - nearest).mean())


def distance(painted: Tensor, own: Tensor) -> float:
    """CMMD of painted to own works, from unit embeddings (N, D) and (M, D); lower is closer."""
    return 1000 * squared_mmd(painted, own, kernel="gaussian", sigma=10.0)
