"""Prompts, and whether a model can interpret their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: Characters per token below which a word is spelled and not known: names that a text encoder was
#: trained on are one token, or a few long ones.
SPELLED = 2.5


def unknown_words(model: LatentDiffusion, prompt: str) -> list[str]:
    """Words of `prompt` that the model's tokenizer splits into fragments, so that they carry no
    meaning."""
    unknown = []
    for word in prompt.split():
        pieces = model.tokenize(word)
        if len(pieces) > 1 and len(word) / len(pieces) < SPELLED:
            unknown.append(word)
    return unknown
