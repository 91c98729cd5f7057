"""StyleProtect (2025, repository CV-Lehigh/StyleProtect): CAAT in the layers that hold a style.

As in CAAT, images and keys and values of cross-attention move one denoising error in opposite
directions; but only those cross-attentions learn that answer most to an artist's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, State
from impress_bench.protections.caat import Caat, CaatState

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: Of Stable Diffusion 1 and 2, as released.
LAYERS = (
    "up_blocks.1.attentions.0 up_blocks.1.attentions.2 up_blocks.2.attentions.2"
    " down_blocks.2.attentions.1"
)


class StyleProtect(Caat):
    """Cross-attention attack on a few layers.

    Defaults are those of CV-Lehigh/StyleProtect at d3e46e2 (style_protect.py) at 512 px, halved to
    [0, 1] pixels. Needs a model with such layers, and is skipped without. Departure as in `Caat`:
    the weights learn from a draw of their own, where the release has one backward pass for both.

    Args:
        layers: first parts of the names of the cross-attentions that learn, with spaces between.
        steps: steps of PGD, each followed by one of training; at least 1.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "style-protect"
    title: ClassVar[str] = "StyleProtect"

    def __init__(
        self,
        *,
        layers: str = LAYERS,
        steps: int = 250,
        surrogate_lr: float = 1e-5,
        batch: int = 4,
        linf: float = 0.05,
        step: float = 0.0025,
        prompt: str = "a photo of an artwork",
    ) -> None:
        super().__init__(
            steps=steps,
            surrogate_lr=surrogate_lr,
            batch=batch,
            linf=linf,
            step=step,
            prompt=prompt,
        )
        if not layers.split():
            raise ValueError("layers must name at least one layer")
        self.layers = layers.split()

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> CaatState:
        """As in CAAT. Raises PluginError, with the state `skipped`, if the model lacks a layer."""
        model = context.require_model(self.name)
        known = [name for name, _ in model.denoiser.named_parameters() if model.reads_prompt(name)]
        for layer in self.layers:
            if not any(_within(name, layer) for name in known):
                there = sorted({name.split(".transformer_blocks")[0] for name in known})
                raise PluginError(
                    self.name,
                    f"the model has no cross-attention {layer}; layers may name {', '.join(there)}",
                    State.SKIPPED,
                )
        return super().prepare(images, context, generators)

    def trains(self, model: LatentDiffusion, weight: str) -> bool:
        """Keys and values of the layers that are named."""
        return super().trains(model, weight) and any(
            _within(weight, layer) for layer in self.layers
        )


def _within(weight: str, layer: str) -> bool:
    """Whether a weight belongs to `layer`."""
    return weight.startswith(f"{layer}.")
