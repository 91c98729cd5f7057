"""Titles: drawn from the grammar until a hash says that the split may show them."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from impress_bench.benchmark.atelier.world.grammar import BACKGROUNDS, GRAMMARS

SUBJECTS: Final[tuple[str, ...]] = tuple(GRAMMARS)

SPLITS: Final = ("pretrain", "heldout", "finetune", "evaluation")

# Upper ends of each split's share of 100 hash buckets.
_BUCKET_ENDS: Final = (60, 70, 85, 100)


def split_of_title(title: str) -> str:
    """The only split in which a title may occur; the same on every machine."""
    bucket = int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big") % 100
    return next(s for s, end in zip(SPLITS, _BUCKET_ENDS, strict=True) if bucket < end)


def sample_phrases(subject: str, split: str, rng: np.random.Generator) -> dict[str, str]:
    """Draw one phrase per slot until the title they make belongs to the split."""
    slots = GRAMMARS[subject].slots
    while True:
        phrases = {name: options[int(rng.integers(len(options)))] for name, options in slots}
        if split_of_title(title_of(phrases)) == split:
            return phrases


def title_of(phrases: dict[str, str]) -> str:
    """The title that phrases in slot order make."""
    return " ".join(phrases.values())


def vocabulary() -> tuple[str, ...]:
    """Sorted distinct words of all titles that the grammars can produce."""
    phrases = (p for g in GRAMMARS.values() for _, options in g.slots for p in options)
    return tuple(sorted({word for phrase in phrases for word in phrase.split()}))


__all__ = [
    "BACKGROUNDS",
    "GRAMMARS",
    "SPLITS",
    "SUBJECTS",
    "sample_phrases",
    "split_of_title",
    "title_of",
    "vocabulary",
]
