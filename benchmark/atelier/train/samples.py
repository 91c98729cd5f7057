"""What a trained denoiser paints, and whether classifiers recognise it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.atelier.train.data import PaintedSet
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.models.style_classifier import StyleClassifier


def samples_recognised(
    pack: Path, held_out: PaintedSet, classifiers: Mapping[str, StyleClassifier]
) -> dict[str, float]:
    """Top-1 of each classifier on what `pack` paints under held-out titles and artists it knows."""
    chosen = held_out.select(np.arange(0, len(held_out), 5))
    prompts = [f"{t} by {a}" for t, a in zip(chosen.titles, chosen.artists, strict=True)]
    model, generator = LatentDiffusion.from_pretrained(pack), torch.Generator().manual_seed(0)
    painted_by_model = paint(model, prompts, generator, steps=25, guidance_scale=3.0)
    labels = torch.tensor([world.MOVEMENTS.index(name) for name in chosen.movements])
    return {
        f"{name}_samples": (classifier.scores(painted_by_model).argmax(1) == labels)
        .float()
        .mean()
        .item()
        for name, classifier in classifiers.items()
    }
