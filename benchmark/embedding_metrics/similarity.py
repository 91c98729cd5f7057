"""Cosines of image embeddings: of pairs of images, and of the means of two sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.embedding_metrics.encoded import Encoded, EncodedSetMetric
from impress_bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor


class ImageSimilarity(Encoded, Metric):
    """The cosine of an image's embedding to that of the clean image's exploit, as CLIP-I is."""

    title: ClassVar[str] = "Embedding similarity"
    higher_is_better: ClassVar[bool] = True

    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """Cosines (B,) of pairs of images (B, 3, H, W) in [0, 1]."""
        from torch.nn.functional import cosine_similarity

        assert reference is not None
        return cosine_similarity(self.features(images), self.features(reference), dim=-1)


class CentroidSimilarity(EncodedSetMetric):
    """The cosine of the mean unit embeddings of painted and own works.

    With CSD's weights (Somepalli et al. 2024) as encoder it is the likeness of style that recent
    papers report of mimicry.
    """

    title: ClassVar[str] = "Centroid similarity"
    higher_is_better: ClassVar[bool] = True
    minimum: ClassVar[int] = 2

    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings (N, D) of images (N, 3, H, W) in [0, 1]."""
        from torch.nn.functional import normalize

        return normalize(self.features(images), dim=-1)

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From unit embeddings (N, D) and (M, D), a cosine."""
        from torch.nn.functional import cosine_similarity

        return float(cosine_similarity(painted.mean(0), reference.mean(0), dim=0))
