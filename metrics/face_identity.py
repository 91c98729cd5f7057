"""Whether an edited photo shows the same face, by a recogniser of the library insightface."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.metrics.base import Metric
from impress_bench.metrics.missing import require

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

NAME = "metric face-identity"


class FaceIdentity(Metric):
    """The cosine of ArcFace embeddings of the largest face in an edit and in the original photo.

    ArcFace is by Deng et al. 2019. 0, as for strangers, where the edit shows no face.

    Needs the extra `[faces]` and insightface's weights, which are for research that is not
    commercial; nothing is fetched here.

    Args:
        models: The folder of a detector and a recogniser as insightface keeps them, *.onnx.
    """

    title: ClassVar[str] = "Face identity"
    higher_is_better: ClassVar[bool] = True
    reference: ClassVar[Literal["exploit", "original"]] = "original"
    files: ClassVar[tuple[str, ...]] = ("models",)
    library: ClassVar[tuple[str, str] | None] = ("insightface", "faces")

    def __init__(self, models: str = "~/.insightface/models/buffalo_l") -> None:
        self.models = models

    def __call__(self, images: Tensor, reference: Tensor | None) -> Tensor:
        """Cosines (B,) of pairs of images (B, 3, H, W) in [0, 1].

        Raises PluginError, for a skipped cell, where the library, its weights or a face in the
        original photo is missing.
        """
        import torch

        require("face-identity", "insightface", "faces")
        folder = Path(self.models).expanduser()
        if not any(folder.glob("*.onnx")):
            raise PluginError(
                NAME,
                f"{folder} holds no weights; get them by:"
                f" insightface-cli model.download {folder.name} --root {folder.parent.parent}",
                State.SKIPPED,
            )
        assert reference is not None
        recogniser = _recogniser(folder)
        cosines = []
        for edit, photo in zip(images, reference, strict=True):
            own, found = (_embedding(recogniser, image) for image in (photo, edit))
            if own is None:
                raise PluginError(NAME, "no face is found in the original photo", State.SKIPPED)
            cosines.append(0.0 if found is None else float(own @ found))
        return torch.tensor(cosines)


@lru_cache(maxsize=1)
def _recogniser(folder: Path) -> Any:
    from insightface.app import FaceAnalysis

    parts = ["detection", "recognition"]
    root = str(folder.parent.parent)
    recogniser = FaceAnalysis(name=folder.name, root=root, allowed_modules=parts)
    recogniser.prepare(ctx_id=-1)
    return recogniser


def _embedding(recogniser: Any, image: Tensor) -> np.ndarray | None:
    """The unit embedding of the largest face in an image (3, H, W); None if there is none."""
    pixels = (255 * image).round().byte().permute(1, 2, 0).flip(-1).numpy()  # BGR, as in OpenCV

    def area(face: Any) -> float:
        left, top, right, bottom = face.bbox
        return float((right - left) * (bottom - top))

    faces = recogniser.get(pixels.copy())
    return max(faces, key=area).normed_embedding if faces else None
