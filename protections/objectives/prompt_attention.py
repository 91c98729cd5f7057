"""Where in an image a denoiser's cross-attention looks for each token of the prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.protections.objectives.capture import captured

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

KEYS = ".to_k.weight"


def cross_attentions(model: LatentDiffusion) -> dict[str, int]:
    """Names of the denoiser's cross-attentions with queries `to_q` and keys `to_k`, and how many
    heads each has; none where the prompt is attended to otherwise."""
    network = model.denoiser
    weights = dict(network.named_parameters())
    found = {}
    for name in weights:
        layer = name.removesuffix(KEYS)
        if name.endswith(KEYS) and model.reads_prompt(name) and f"{layer}.to_q.weight" in weights:
            heads = getattr(network.get_submodule(layer), "heads", None)
            if isinstance(heads, int):
                found[layer] = heads
    return found


@contextmanager
def attending(model: LatentDiffusion, layers: Mapping[str, int]) -> Iterator[dict[str, Tensor]]:
    """Queries and keys of `layers`, of the denoiser's latest pass, by name; for `mean_map`."""
    names = [f"{layer}.{part}" for layer in layers for part in ("to_q", "to_k")]
    with captured(model.denoiser, names) as seen:
        yield seen


def mean_map(seen: Mapping[str, Tensor], layers: Mapping[str, int], places: int) -> Tensor:
    """The mean attention (B, places, tokens) over the heads of those of `layers` that have `places`
    queries, each head counting alike; of the coarsest layers if none has."""
    sizes = {layer: seen[f"{layer}.to_q"].shape[1] for layer in layers}
    chosen = places if places in sizes.values() else min(sizes.values())
    maps = []
    for layer in (layer for layer, size in sizes.items() if size == chosen):
        queries, keys = (
            _by_head(seen[f"{layer}.{part}"], layers[layer]) for part in ("to_q", "to_k")
        )
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        maps.append(scores.float().softmax(dim=-1))
    return torch.cat(maps, dim=1).mean(dim=1)


def word_places(model: LatentDiffusion, prompts: Sequence[str], word: str) -> tuple[Tensor, Tensor]:
    """Which tokens are words of each prompt, and which of them are `word`, (B, tokens): the first
    token begins the prompt, and words follow, each with its pieces. Both on the CPU."""
    rows = []
    for prompt in prompts:
        pieces = [(written, len(model.tokenize(written))) for written in prompt.split()]
        rows.append([written == word for written, count in pieces for _ in range(count)])
    length = 1 + max(map(len, rows))
    words, chosen = torch.zeros(2, len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        words[i, 1 : 1 + len(row)] = True
        chosen[i, 1 : 1 + len(row)] = torch.tensor(row)
    return words, chosen


def _by_head(projected: Tensor, heads: int) -> Tensor:
    """(B, n, channels) as (B, heads, n, channels of a head)."""
    count, length, _ = projected.shape
    return projected.reshape(count, length, heads, -1).transpose(1, 2)
