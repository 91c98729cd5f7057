"""Runs a recipe and writes what came of it into the pack's model card."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Optimizer steps of each recipe, in training order.
RECIPES = {"vae": 6500, "denoiser": 2400, "clip": 1000, "inpainter": 900}

CARD = """# The atelier's model pack

A latent diffusion model in diffusers layout, trained from nothing on the atelier's procedural
paintings at 64 x 64 on two CPU cores. **It is a miniature**: a 4-pixel latent cell carries 12
values a latent channel against Stable Diffusion's 48, so effect sizes do not transfer.

`vae/` (f = 4, 4 latent channels), `unet/`, `text_encoder/`, `tokenizer/`, `scheduler/`;
`inpainting/unet/` (9 channels); `clip/`, an open_clip model for zero-shot style classification;
`second_classifier/`, an independent ResNet. Victim and validation artists are in no training set.

Retrain a part from seed, in a checkout, with
`python -m impress_bench.benchmark.atelier.train {parts} --pack benchmark/atelier/pack`.
Figures are on held-out paintings (other titles, other seeds) unless the name says victims, whom no
model has seen.

| part | figure | value |
| --- | --- | --- |
{rows}
"""


def record(part: str, work: Path, pack: Path, steps: int | None) -> None:
    """Train `part` for `steps` (default: the recipe's own) and update `pack`/model_card.json and
    README.md with commit, seed, hours and held-out figures."""
    recipe = getattr(importlib.import_module(f"{__package__}.{part}"), f"train_{part}")
    commit = _commit()  # of what was imported, not of what the hours to come may bring
    figures = recipe(work, pack, steps or RECIPES[part])
    path = pack / "model_card.json"
    cards = json.loads(path.read_text()) if path.exists() else {}
    cards[part] = {"commit": commit, "seed": 0, **figures}
    path.write_text(json.dumps(cards, indent=2, sort_keys=True) + "\n")
    (pack / "README.md").write_text(render(cards))
    print(json.dumps(cards[part], indent=2))


def render(cards: Mapping[str, Mapping[str, Any]]) -> str:
    """The card as markdown, parts in training order."""
    rows = [
        f"| {part} | {name.replace('_', ' ')} | {_shown(value)} |"
        for part in RECIPES
        if part in cards
        for name, value in cards[part].items()
    ]
    return CARD.format(parts="|".join(RECIPES), rows="\n".join(rows))


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _commit() -> str | None:
    """The checkout's commit, marked where files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None
