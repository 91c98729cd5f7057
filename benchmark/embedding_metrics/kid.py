"""Kernel distance of two sets of images (KID, Binkowski et al. 2018) on embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.embedding_metrics.encoded import EncodedSetMetric
from impress_bench.metrics import squared_mmd

if TYPE_CHECKING:
    from torch import Tensor


class Kid(EncodedSetMetric):
    """The unbiased squared MMD with kernel (x . y / D + 1)^3.

    Over whole sets of any two sizes, where torchmetrics and torch-fidelity average over equal
    subsets of both; of sets of one size it is their figure of one subset that is the set.
    """

    title: ClassVar[str] = "KID"
    higher_is_better: ClassVar[bool] = False
    minimum: ClassVar[int] = 8

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From embeddings (N, D) and (M, D); 0 is expected of one distribution."""
        return squared_mmd(painted, reference, kernel="polynomial")
