"""CMMD (Jayasumana et al. 2024): a Gaussian kernel's distance of two sets of unit embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.embedding_metrics.encoded import EncodedSetMetric
from impress_bench.metrics import squared_mmd

if TYPE_CHECKING:
    from torch import Tensor


class Cmmd(EncodedSetMetric):
    """1000 times the squared MMD of unit embeddings with kernel exp(-|x - y|^2 / 200).

    The unbiased estimate; the released code's is biased, which at 24 images outweighs most effects.
    The paper's encoder is CLIP ViT-L/14 at 336 pixels.
    """

    title: ClassVar[str] = "CMMD"
    higher_is_better: ClassVar[bool] = False
    minimum: ClassVar[int] = 12

    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings (N, D) of images (N, 3, H, W) in [0, 1]."""
        from torch.nn.functional import normalize

        return normalize(self.features(images), dim=-1)

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From unit embeddings (N, D) and (M, D); 0 is expected of one distribution."""
        return 1000 * squared_mmd(painted, reference, kernel="gaussian", sigma=10.0)
