"""Fréchet distance of two sets of images (FID, Heusel et al. 2017) on embeddings."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.embedding_metrics.encoded import EncodedSetMetric
from impress_bench.metrics.frechet import frechet_distance

if TYPE_CHECKING:
    from torch import Tensor


class SmallSetWarning(UserWarning):
    """Warns that a set has too few images for its covariance, so that FID is mostly bias."""


class Fid(EncodedSetMetric):
    """FID on an encoder's embeddings, computed by torchmetrics.

    Biased upwards the more, the fewer the images: rows of one table, of sets of equal size, may be
    compared with each other and with nothing else. A `SmallSetWarning` is given where a set has no
    more images than embeddings have dimensions, so that its covariance is singular.
    """

    title: ClassVar[str] = "FID (biased by size)"
    higher_is_better: ClassVar[bool] = False
    minimum: ClassVar[int] = 12

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From embeddings (N, D) and (M, D); above 0 also of one distribution."""
        fewest, dimensions = min(len(painted), len(reference)), painted.shape[1]
        if fewest <= dimensions:
            warnings.warn(
                f"FID of {fewest} images in {dimensions} dimensions: the covariance is singular and"
                " the value mostly bias; compare it with sets of the same size alone, or use kid or"
                " cmmd, which are unbiased",
                SmallSetWarning,
                stacklevel=2,
            )
        return frechet_distance(painted, reference)
