"""`python -m impress_bench.benchmark.atelier.train PART --pack DIR`: retrain a part of a pack."""

from __future__ import annotations

import argparse
from pathlib import Path

from impress_bench.benchmark.atelier.train import card
from impress_bench.benchmark.atelier.train.job import Job, usable_device
from impress_bench.benchmark.atelier.train.sizes import MODELS
from impress_bench.benchmark.errors import ConfigError

ORDER = """Parts are trained in this order:
  vae        the autoencoder
  encoder    its encoder, calibrated: a bounded perturbation moves it as Stable Diffusion's
  denoiser   U-Net, text encoder and tokenizer, on latents of the calibrated encoder
  clip       the two classifiers, on reconstructions
  inpainter  the denoiser's U-Net with 9 channels, on latents of the calibrated encoder
  immuniser  the protection's network, against the calibrated encoder
  purifier   the network of the purifier `learned`, on protections computed on the pack
  pixel      the diffusion model on pixels of the purifier `pdm-pure`, on paintings alone
atelier-second and atelier-flow have the first three; the denoiser of atelier-flow is a transformer
with two text encoders, and learns a rectified flow. atelier-sibling has a denoiser alone, on a copy
of atelier's autoencoder. After retraining a part, retrain those after
it: they have learned from the earlier one, and the model card marks them as older. A run that was
cut short resumes from its checkpoint in --work, unless what it learns from has changed. To train a
finished part anew from the same start, remove its folder there.

`figures` trains nothing: it measures denoiser and inpainter of the pack and records the figures."""


def main(arguments: list[str] | None = None) -> None:
    """Train one part of a pack, or measure the pack. Exits with 2 for a request that cannot be
    carried out: an unknown part, a device that is not there, an earlier part that is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m impress_bench.benchmark.atelier.train",
        description="Retrain a part of the atelier's model pack from seed.",
        epilog=ORDER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=[*card.RECIPES, "figures"], help="see below")
    parser.add_argument("--model", choices=list(MODELS), default="atelier", help="which of them")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="data and checkpoints")
    # No default: an installed package, even an editable one, need not be where its sources are.
    parser.add_argument("--pack", type=Path, required=True, help="where weights are written")
    parser.add_argument("--steps", type=int, help="optimizer steps (default: the recipe's)")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    parser.add_argument(
        "--onward", action="store_true", help="denoiser: --steps more, from the weights in --pack"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PROTECTION",
        help="purifier: a protection that it is not to see; may be repeated",
    )
    given = parser.parse_args(arguments)
    steps = card.RECIPES.get(given.part, 1) if given.steps is None else given.steps
    if steps < 1:
        parser.error(f"--steps must be at least 1, not {steps}")
    try:
        device = usable_device(given.device)
        onward = card.trained_steps(given.part, given.model, given.pack) if given.onward else 0
        without = card.left_out(given.part, given.without)
        job = Job(given.work, given.pack, steps, MODELS[given.model], device, onward, without)
        if given.part == "figures":
            card.measure(given.model, job)
        else:
            card.record(given.part, given.model, job)
    except ConfigError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
