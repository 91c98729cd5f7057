"""Runs a recipe and writes what came of it into the pack's model card."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impress_bench.benchmark.atelier.train.sizes import MODELS

#: Optimizer steps of each recipe, in training order.
RECIPES = {"vae": 6500, "encoder": 3000, "denoiser": 2400, "clip": 1000, "inpainter": 900}

CARD = """# {title}
{introduction}
A latent diffusion model in diffusers layout, trained from nothing on the atelier's procedural
paintings at 64 x 64 on two CPU cores. **It is a miniature**: a 4-pixel latent cell carries 12
values a latent channel against Stable Diffusion's 48, so effect sizes do not transfer.

{parts} Victim and validation artists are in no training set.

Retrain a part from seed, in a checkout, with
`python -m impress_bench.benchmark.atelier.train {command}`.
Figures are on held-out paintings (other titles, other seeds) unless the name says victims, whom no
model has seen.

| part | figure | value |
| --- | --- | --- |
{rows}
"""

DIFFUSION = (
    "`vae/` (f = 4, 4 latent channels), `unet/`, `text_encoder/`, `tokenizer/`, `scheduler/`"
)
FIRST_PARTS = f"""{DIFFUSION};
`inpainting/unet/` (9 channels); `clip/`, an open_clip model for zero-shot style classification;
`second_classifier/`, an independent ResNet."""
SECOND_INTRODUCTION = """
What a protection or purifier may hold for the model that it meets, so that transfer can be
measured: other widths and another seed than `atelier`'s.
"""
#: What the card says of each model.
SAID = {
    "atelier": {
        "title": "The atelier's model pack",
        "introduction": "",
        "parts": FIRST_PARTS,
        "command": "vae|denoiser|clip|inpainter --pack benchmark/atelier/pack",
    },
    "atelier-second": {
        "title": "The atelier's second model pack",
        "introduction": SECOND_INTRODUCTION,
        "parts": f"{DIFFUSION}.",
        "command": "vae|denoiser --model atelier-second --pack benchmark/atelier/second_pack",
    },
}


def record(part: str, model: str, work: Path, pack: Path, steps: int | None) -> None:
    """Train `part` of `model` for `steps` (default: the recipe's own) and update
    `pack`/model_card.json and README.md with commit, seed, hours and held-out figures."""
    recipe = getattr(importlib.import_module(f"{__package__}.{part}"), f"train_{part}")
    commit = _commit()  # of what was imported, not of what the hours to come may bring
    sizes = MODELS[model]
    figures = recipe(work, pack, steps or RECIPES[part], sizes)
    path = pack / "model_card.json"
    cards = json.loads(path.read_text()) if path.exists() else {}
    cards[part] = {"commit": commit, "seed": sizes.seed, **figures}
    path.write_text(json.dumps(cards, indent=2, sort_keys=True) + "\n")
    (pack / "README.md").write_text(render(model, cards))
    print(json.dumps(cards[part], indent=2))


def render(model: str, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """The card of `model` as markdown, parts in training order."""
    rows = [
        f"| {part} | {name.replace('_', ' ')} | {_shown(value)} |"
        for part in RECIPES
        if part in cards
        for name, value in sorted(cards[part].items())
    ]
    return CARD.format(**SAID[model], rows="\n".join(rows))


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _commit() -> str | None:
    """The checkout's commit, marked where files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None
