"""How a model is computed: in which precision, compiled or not, remembering or computing again.

Weights stay float32. In a lower precision the U-Nets run under autocast and hand back float32; VAE,
text encoder and LPIPS do not take part: the attacks' gradients go through the VAE, where float16
loses a part of them (IMPRESS's released code did so), and Stable Diffusion's decoder overflows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

    Network = TypeVar("Network", bound=nn.Module)

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Numerics:
    """`precision` is that of the U-Nets; one whose weights learn stays float32 where it is float16,
    which would need its losses scaled. `compiled` networks are torch.compile's. With
    `checkpointing`, passes through VAE and U-Net that lead to a gradient are made again on the way
    back instead of remembered: a chain then needs the memory of its greatest link.

    Raises ValueError for another precision.
    """

    precision: str = "float32"
    compiled: bool = False
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"unknown precision {self.precision!r}; known: {PRECISIONS}")

    def __str__(self) -> str:
        """For keys: "float32" unless something is asked for."""
        named = {"compiled": self.compiled, "checkpointing": self.checkpointing}
        return " ".join([self.precision, *[name for name, on in named.items() if on]])


PLAIN = Numerics()


def settled(model: LatentDiffusion, numerics: Numerics) -> LatentDiffusion:
    """A freshly loaded model, whose networks now compute so. On a GPU their weights are laid out
    channels last, which its convolutions want."""
    import torch

    vae = model.pipeline.vae
    for network in (vae.encoder, vae.decoder):
        _compute(network, "float32", numerics.compiled)
    for network in filter(None, (model.pipeline.unet, model.inpainting_unet)):
        _compute(network, numerics.precision, numerics.compiled)
    if model.device.type == "cuda":
        for network in filter(None, (vae, model.pipeline.unet, model.inpainting_unet)):
            network.to(memory_format=torch.channels_last)
    return replace(model, numerics=numerics)


def _compute(network: Network, precision: str, compiled: bool) -> None:
    """Give a network a `forward` that does so. It is its class's, so that copies, which learn, have
    it too, and hooks stay outside of it."""
    if precision == "float32" and not compiled:
        return
    import torch
    from accelerate.utils import convert_to_fp32

    kind = type(network)
    plain = torch.compile(kind.forward) if compiled else kind.forward

    def forward(self: Any, *inputs: Any, **named: Any) -> Any:
        if precision == "float32" or (precision == "float16" and _learns(self)):
            return plain(self, *inputs, **named)
        with torch.autocast(self.device.type, getattr(torch, precision)):
            return convert_to_fp32(plain(self, *inputs, **named))

    members = {"forward": forward, "__module__": kind.__module__}
    network.__class__ = type(kind.__name__, (kind,), members)


def _learns(network: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in network.parameters())
