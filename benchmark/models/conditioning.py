"""What a denoiser is conditioned on: the text encoders' output for a batch of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """Tensors (B, ...) by name, one row per image; what they are is the model family's own affair.

    One text encoder has one of them, several have token embeddings and pooled ones. Whoever does
    not belong to the family takes rows and repeats them, and hands the rest to `predict`.

    Raises ValueError unless all tensors have the same number of rows, and at least one is there.
    """

    tensors: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        if len({len(tensor) for tensor in self.tensors.values()}) != 1:
            shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
            raise ValueError(f"conditioning needs tensors of one number of rows, not {shapes}")

    def __len__(self) -> int:
        """How many rows."""
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, index: Tensor | slice | Sequence[int]) -> Conditioning:
        """The rows at `index`, as a tensor takes it: indices (n,), a slice or a list."""
        return Conditioning({name: tensor[index] for name, tensor in self.tensors.items()})

    def expand(self, count: int) -> Conditioning:
        """One row for each of `count` images, without copying; as it is if it has as many."""
        return Conditioning(
            {
                name: tensor.expand(count, *[-1] * (tensor.ndim - 1))
                for name, tensor in self.tensors.items()
            }
        )
