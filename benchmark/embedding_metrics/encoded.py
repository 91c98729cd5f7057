"""The encoder of a metric, a setting: the atelier's own CLIP, or any open_clip model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from impress_bench.benchmark.atelier import PACK
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.models.hub import is_path, is_source, place_of
from impress_bench.metrics.base import SetMetric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from impress_bench.benchmark.models.open_clip_model import OpenClipModel

#: The CLIP of the embedded model's pack.
ATELIER = "atelier"


class Encoded:
    """A metric with an encoder.

    Args:
        encoder: "atelier", the CLIP of the atelier's pack, which takes the atelier's images alone;
            else an open_clip model or CSD's weights: a folder, or a hub id `org/name@revision`.

    Raises:
        ValueError: for an encoder that is none of these.
    """

    files: ClassVar[tuple[str, ...]] = ("encoder",)

    def __init__(self, encoder: str = ATELIER) -> None:
        if encoder != ATELIER:
            if not is_source(encoder):
                raise ValueError(
                    f"encoder must be 'atelier', a folder or org/name, not {encoder!r}"
                )
            if is_path(encoder) and not place_of(encoder).exists():
                raise ValueError(f"encoder {encoder!r} is neither a folder nor a hub id")
        self.encoder = encoder

    def features(self, images: Tensor) -> Tensor:
        """Embeddings (N, D), not normalised, of images (N, 3, H, W) in [0, 1].

        Raises PluginError for images of a size that the encoder does not take.
        """
        model, size = self._model(), tuple(images.shape[-2:])
        if model.side is not None and size != (model.side, model.side):
            raise PluginError(
                self._name,
                f"encoder {self.encoder!r} takes images of {model.side} x {model.side} pixels, as"
                f" the atelier's are, not of {size[0]} x {size[1]}; set encoder to an open_clip"
                " model, a folder or org/name",
            )
        return model.embed(images)

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Embeddings (T, D), not normalised, of texts. Raises PluginError without a text encoder,
        as CSD is."""
        try:
            return self._model().embed_texts(texts)
        except ValueError as error:
            raise PluginError(self._name, f"encoder {self.encoder!r} {error}") from None

    def _model(self) -> OpenClipModel:
        from impress_bench.benchmark.models.open_clip_model import open_clip_model, pack_clip

        if self.encoder == ATELIER:
            return pack_clip(PACK)
        try:
            return open_clip_model(self.encoder)
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            message = f"encoder {self.encoder!r} cannot be loaded: {first}"
            raise PluginError(self._name, message) from error

    @property
    def _name(self) -> str:
        return f"metric {getattr(self, 'title', type(self).__name__)}"


class EncodedSetMetric(Encoded, SetMetric):
    """A metric of two sets of embeddings, not normalised."""

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (N, D) of images (N, 3, H, W) in [0, 1]."""
        return self.features(images)
