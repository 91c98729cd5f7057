"""Runs a recipe and writes what came of it into the pack's model card."""

from __future__ import annotations

import importlib
import json
import subprocess
from pathlib import Path

PACK = Path(__file__).parents[1] / "pack"
RECIPES = {"vae": 6500, "denoiser": 3000, "inpainter": 900, "clip": 1000}


def record(part: str, work: Path, pack: Path, steps: int | None) -> None:
    """Train `part` for `steps` (default: the recipe's own) and update `pack`/model_card.json with
    commit, seed, hours and held-out figures."""
    recipe = getattr(importlib.import_module(f"{__package__}.{part}"), f"train_{part}")
    figures = recipe(work, pack, steps or RECIPES[part])
    path = pack / "model_card.json"
    cards = json.loads(path.read_text()) if path.exists() else {}
    cards[part] = {"commit": _commit(), "seed": 0, **figures}
    path.write_text(json.dumps(cards, indent=2, sort_keys=True) + "\n")
    print(json.dumps(cards[part], indent=2))


def _commit() -> str | None:
    """The checkout's commit, marked where files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None
