"""How a model is computed: in which precision, compiled or not, with checkpointing or without.

Weights stay float32, but for those of a family that is published in bfloat16 and too large for it
(FLUX.1). In a lower precision denoisers run under autocast and hand back float32; VAE, text encoder
and LPIPS do not take part: the attacks' gradients go through the VAE, where float16 loses a part of
them (IMPRESS's released code did so), and Stable Diffusion's decoder overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Numerics:
    """`precision` is that of the U-Nets; one whose weights learn stays float32 where it is float16,
    which would need its losses scaled. `compiled` networks are torch.compile's. With
    `checkpointing`, activations of VAE and U-Net are recomputed in the backward pass instead of
    stored: a chain then needs the memory of its largest link.

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


def compute(network: Network, precision: str, compiled: bool) -> None:
    """Replace a network's `forward` by one in that precision, compiled if asked for.

    The new `forward` belongs to a subclass, so that copies made for fine-tuning have it too and
    hooks stay outside of it.
    """
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
