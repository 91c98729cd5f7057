"""Images beside texts: CLIP score, directional similarity, CLIP-IQA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from impress_bench.benchmark.embedding_metrics.encoded import Encoded
from impress_bench.metrics.base import Metric

if TYPE_CHECKING:
    from torch import Tensor


class ClipScore(Encoded, Metric):
    """CLIP score (Hessel et al. 2021): 100 max(cosine, 0) of an image and the text it was to show.

    As torchmetrics has it."""

    title: ClassVar[str] = "CLIP score"
    higher_is_better: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False
    needs_titles: ClassVar[bool] = True

    def __call__(
        self, images: Tensor, reference: Tensor | None, titles: Sequence[str] = ()
    ) -> Tensor:
        """Scores (B,) in [0, 100] of images (B, 3, H, W) in [0, 1] and B texts."""
        from torch.nn.functional import cosine_similarity

        cosines = cosine_similarity(self.features(images), self.text_features(titles), dim=-1)
        return 100 * cosines.clamp(min=0)


class DirectionalSimilarity(Encoded, Metric):
    """The cosine of an edit's change of the image to its change of the text.

    Both of unit embeddings (Gal et al. 2022; Brooks et al. 2023). 0 where either is none."""

    title: ClassVar[str] = "Directional similarity"
    higher_is_better: ClassVar[bool] = True
    reference: ClassVar[Literal["exploit", "original"]] = "original"
    needs_titles: ClassVar[bool] = True

    def __call__(
        self,
        images: Tensor,
        reference: Tensor | None,
        titles: Sequence[str] = (),
        reference_titles: Sequence[str] = (),
    ) -> Tensor:
        """Cosines (B,) of edits and originals (B, 3, H, W) in [0, 1] with B texts of each."""
        from torch.nn.functional import cosine_similarity, normalize

        assert reference is not None
        seen = normalize(self.features(images)) - normalize(self.features(reference))
        said = self.text_features(titles), self.text_features(reference_titles)
        return cosine_similarity(seen, normalize(said[0]) - normalize(said[1]), dim=-1)


class ClipIqa(Encoded, Metric):
    """CLIP-IQA (Wang et al. 2023): the probability of "Good photo." beside "Bad photo.".

    On any open_clip model that reads English, with its positional embedding; the paper's figures
    are of a ResNet-50 without.

    Args:
        encoder: As of every metric of embeddings. The atelier's knows neither word.
    """

    title: ClassVar[str] = "CLIP-IQA"
    higher_is_better: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False

    def __init__(self, encoder: str) -> None:
        super().__init__(encoder)

    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """Probabilities (B,) of images (B, 3, H, W) in [0, 1]."""
        from torch.nn.functional import normalize

        texts = normalize(self.text_features(("Good photo.", "Bad photo.")))
        return (100 * normalize(self.features(images)) @ texts.T).softmax(dim=-1)[:, 0]
