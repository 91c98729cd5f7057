"""A seeded world of invented artists and their paintings."""

from __future__ import annotations

from impress_bench.benchmark.atelier.world.artists import (
    ARTISTS,
    MOVEMENTS,
    Artist,
    artist,
    artists,
)
from impress_bench.benchmark.atelier.world.duplicates import near_duplicates
from impress_bench.benchmark.atelier.world.gallery import gallery
from impress_bench.benchmark.atelier.world.paint import Painting, paint, paintings
from impress_bench.benchmark.atelier.world.titles import (
    BACKGROUNDS,
    SPLITS,
    SUBJECTS,
    vocabulary,
)

__all__ = [
    "ARTISTS",
    "BACKGROUNDS",
    "MOVEMENTS",
    "SPLITS",
    "SUBJECTS",
    "Artist",
    "Painting",
    "artist",
    "artists",
    "gallery",
    "near_duplicates",
    "paint",
    "paintings",
    "vocabulary",
]
