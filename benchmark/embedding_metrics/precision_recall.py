"""Improved precision and recall (Kynkäänniemi et al. 2019) on embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.contract import check_range
from impress_bench.benchmark.embedding_metrics.encoded import ATELIER, EncodedSetMetric
from impress_bench.benchmark.metric import SHARE
from impress_bench.metrics.neighbours import covered

if TYPE_CHECKING:
    from torch import Tensor


class Precision(EncodedSetMetric):
    """The share of painted works that lie among the reference ones.

    Args:
        encoder: As of every metric of embeddings.
        k: A ball reaches to the `k`-th nearest neighbour; 1 to 11, no unit.
    """

    title: ClassVar[str] = "Precision"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = SHARE
    minimum: ClassVar[int] = 12

    def __init__(self, encoder: str = ATELIER, k: int = 3) -> None:
        super().__init__(encoder)
        check_range(least=1, most=self.minimum - 1, k=k)
        self.k = k

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From embeddings (N, D) and (M, D), a share in [0, 1]."""
        return covered(painted, reference, self.k)


class Recall(Precision):
    """The share of reference works that lie among the painted ones.

    Args:
        encoder: As of every metric of embeddings.
        k: A ball reaches to the `k`-th nearest neighbour; 1 to 11, no unit.
    """

    title: ClassVar[str] = "Recall"

    def compare(self, painted: Tensor, reference: Tensor) -> float:
        """From embeddings (N, D) and (M, D), a share in [0, 1]."""
        return covered(reference, painted, self.k)
