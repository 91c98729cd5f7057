"""`python -m impress_bench.benchmark.atelier.train vae|denoiser|clip|inpainter --pack DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from impress_bench.benchmark.atelier.train import card
from impress_bench.benchmark.atelier.train.sizes import MODELS


def main() -> None:
    """Train one part of the pack, in the order above: each part needs the ones before it."""
    parser = argparse.ArgumentParser(prog="python -m impress_bench.benchmark.atelier.train")
    parser.add_argument("part", choices=list(card.RECIPES))
    parser.add_argument("--model", choices=list(MODELS), default="atelier", help="which of them")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="data and checkpoints")
    # No default: an installed package, even an editable one, need not be where its sources are.
    parser.add_argument("--pack", type=Path, required=True, help="where weights are written")
    parser.add_argument("--steps", type=int, help="optimizer steps (default: the recipe's)")
    arguments = parser.parse_args()
    card.record(arguments.part, arguments.model, arguments.work, arguments.pack, arguments.steps)


if __name__ == "__main__":
    main()
