"""Kernel distance of two sets of images (KID, Binkowski et al. 2018) on embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.embedding_metrics.encoded import EncodedSetMetric
from impress_bench.metrics import squared_mmd

if TYPE_CHECKING:
    from torch import Tensor


class Kid(EncodedSetMetric):
    """The unbiased squared MMD with kernel (x . y / D + 1)^3, on unit embeddings times sqrt(D).

    The kernel is then (cosine + 1)^3 whatever the scale of the encoder's embeddings. On raw ones
    with |x|^2 far above D, as the atelier's are, the cube of the largest outweighs the others, and
    four times the images are needed to see an effect.

    Over whole sets of any two sizes, where torchmetrics and torch-fidelity average over equal
    subsets of both; of sets of one size it is their figure of one subset that is the set.
    """

    title: ClassVar[str] = "KID"
    higher_is_better: ClassVar[bool] = False
    minimum: ClassVar[int] = 12

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (N, D) of norm sqrt(D) of images (N, 3, H, W) in [0, 1]."""
        from torch.nn.functional import normalize

        embeddings = self.features(images)
        scaled: Tensor = normalize(embeddings, dim=-1) * embeddings.shape[1] ** 0.5
        return scaled

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From embeddings (N, D) and (M, D) of norm sqrt(D); 0 is expected of one distribution."""
        return squared_mmd(painted, reference, kernel="polynomial")
