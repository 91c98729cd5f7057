"""Runs a recipe and records its figures in the pack's model card."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impress_bench.benchmark.atelier import UNCALIBRATED
from impress_bench.benchmark.errors import ConfigError

if TYPE_CHECKING:
    from impress_bench.benchmark.atelier.train.job import Job

#: Optimizer steps of each recipe, in training order.
RECIPES = {"vae": 6500, "encoder": 1800, "denoiser": 8000, "clip": 1000, "inpainter": 2400}
#: The file or folder of a pack that shows that a part was trained.
WRITES = {
    "vae": Path("vae"),
    "encoder": UNCALIBRATED,
    "denoiser": Path("unet"),
    "clip": Path("clip"),
    "inpainter": Path("inpainting") / "unet",
}
#: The earlier parts that a part learns from: denoiser and inpainter from the calibrated encoder's
#: latents, the classifiers from reconstructions.
LEARNS_FROM: dict[str, tuple[str, ...]] = {
    "vae": (),
    "encoder": ("vae",),
    "denoiser": ("vae", "encoder"),
    "clip": ("vae", "encoder"),
    "inpainter": ("vae", "encoder", "denoiser"),
}
#: What must be there before a part is trained: clip reads the denoiser's tokenizer, too.
NEEDS = {**LEARNS_FROM, "clip": ("vae", "encoder", "denoiser")}

CARD = """# {title}
{introduction}
A latent diffusion model in diffusers layout, trained from nothing on the atelier's procedural
paintings at 64 x 64. **It is a miniature**: a 4-pixel latent cell carries 12 values per latent
channel against Stable Diffusion's 48, so effect sizes do not transfer.

{parts} Victim and validation artists are in no training set.
{calibration}
Retrain a part from seed, in a checkout, with
`python -m impress_bench.benchmark.atelier.train PART --{options}`,
PART being {order}, in this order;
`figures` in place of PART trains nothing and measures the pack.
Figures are on held-out paintings (other titles, other seeds) unless the name says victims, whom no
model has seen. Hours are of two CPU cores unless a device is named. A part that is "older than"
another was trained before that one was last retrained.

| part | figure | value |
| --- | --- | --- |
{rows}
"""

CALIBRATION = """
**The encoder is calibrated.** An encoder trained at this size hardly reacts to a bounded
perturbation, so that no protection could show what it does to the real model. After `vae` was
trained, its encoder alone was therefore fine-tuned until an attack moves its latents about as far
as it moves those of Stable Diffusion 1.5. The measure is PhotoGuard's notebook (Salman et al.
2023): there the encoder attack towards zero at L-inf 7.65/255 leaves about .06 of the latents'
squared norm. Such an attack leaves {before} of this model's uncalibrated latents and {after} of the
calibrated ones. No protection's objective, no purifier and no victim or validation artist took
part. The uncalibrated encoder is kept in `uncalibrated/`.
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
#: What the card says of each model, and which parts it has.
SAID: dict[str, dict[str, Any]] = {
    "atelier": {
        "title": "The atelier's model pack",
        "introduction": "",
        "parts": FIRST_PARTS,
        "options": "pack benchmark/atelier/pack",
        "recipes": tuple(RECIPES),
    },
    "atelier-second": {
        "title": "The atelier's second model pack",
        "introduction": SECOND_INTRODUCTION,
        "parts": f"{DIFFUSION}.",
        "options": "model atelier-second --pack benchmark/atelier/second_pack",
        "recipes": ("vae", "encoder", "denoiser"),
    },
}


def check(part: str, model: str, pack: Path) -> None:
    """Raise ConfigError if `model` has no such part, or if `pack` lacks a part that it needs;
    "figures" needs a denoiser."""
    if part != "figures" and part not in SAID[model]["recipes"]:
        raise ConfigError(f"{model} has no {part}; its parts are {_listed(SAID[model]['recipes'])}")
    needed = ("vae", "denoiser") if part == "figures" else NEEDS[part]
    missing = [name for name in needed if not (pack / WRITES[name]).exists()]
    if missing:
        raise ConfigError(
            f"{part} needs {_listed(missing)}, which {pack} does not have; train first: "
            f"{_listed(name for name in RECIPES if name in missing)}, in this order"
        )


def trained_steps(part: str, pack: Path) -> int:
    """Steps that `part` of `pack` has had, for a job that goes on from there.

    Raises ConfigError for a part whose recipe cannot go on, and for one that the pack lacks.
    """
    if part != "denoiser":
        raise ConfigError(f"only the denoiser can go on from its weights, not {part}")
    steps = _read(pack).get(part, {}).get("steps")
    if steps is None or not (pack / WRITES[part]).exists():
        raise ConfigError(f"{pack} has no {part} to go on from; leave out --onward")
    return int(steps)


def record(part: str, model: str, job: Job) -> None:
    """Train `part` of `model` as `job` says and record commit, seed, device, hours and held-out
    figures in the pack's model_card.json and README.md.

    Parts that learned from an earlier state of this one are marked "older than" it. Raises
    ConfigError as `check` does.
    """
    from impress_bench.benchmark.atelier.train.job import description

    check(part, model, job.pack)
    recipe = getattr(importlib.import_module(f"{__package__}.{part}"), f"train_{part}")
    commit = _commit()  # of what was imported, not of a checkout that changes while it trains
    job.pack.mkdir(parents=True, exist_ok=True)
    before = _read(job.pack).get(part, {})
    figures = recipe(job)
    cards = _read(job.pack)
    cards[part] = {
        "commit": commit,
        "seed": job.sizes.seed,
        "device": description(job.device),
        **figures,
    }
    if job.onward:
        cards[part] |= {
            "steps": job.onward + job.steps,
            "hours": before["hours"] + figures["hours"],
            "went_on_after_steps": job.onward,
        }
    if part == "vae":
        cards.pop("encoder", None)  # what it had calibrated is gone
    for later, sources in LEARNS_FROM.items():
        if part in sources and later in cards:
            older = {*cards[later].get("older_than", ()), part}
            cards[later]["older_than"] = [name for name in RECIPES if name in older]
    _write(model, job.pack, cards)
    print(json.dumps(cards[part], indent=2))
    if part in ("denoiser", "clip", "inpainter"):  # clip judges the denoiser
        measure(model, job, (part,) if part == "inpainter" else ("denoiser",))


def measure(model: str, job: Job, parts: tuple[str, ...] = ("denoiser", "inpainter")) -> None:
    """Measure those of `parts` that the pack has, without training, and record their figures.

    Raises ConfigError for a pack without a denoiser.
    """
    check("figures", model, job.pack)
    from impress_bench.benchmark.atelier.train import figures

    commit, cards = _commit(), _read(job.pack)
    measures = {"denoiser": figures.denoiser_figures, "inpainter": figures.inpainter_figures}
    for part in parts:
        if not (job.pack / WRITES[part]).exists():
            continue
        found = {**measures[part](job), "figures_commit": commit}
        cards.setdefault(part, {}).update(found)
        print(json.dumps({part: found}, indent=2))
        _write(model, job.pack, cards)


def render(model: str, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """The card of `model` as markdown, parts in training order."""
    said, encoder = SAID[model], cards.get("encoder", {})
    calibration = ""
    if "left_zero_7.65" in encoder:
        calibration = CALIBRATION.format(
            before=_shown(encoder["left_zero_7.65_before"]), after=_shown(encoder["left_zero_7.65"])
        )
    rows = [
        f"| {part} | {name.replace('_', ' ')} | {_shown(value)} |"
        for part in RECIPES
        if part in cards
        for name, value in sorted(cards[part].items())
    ]
    return CARD.format(
        title=said["title"],
        introduction=said["introduction"],
        parts=said["parts"],
        options=said["options"],
        calibration=calibration,
        order=_listed(said["recipes"]),
        rows="\n".join(rows),
    )


def _shown(value: Any) -> str:
    """A number to three decimals; a list or nested figures in one cell."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _read(pack: Path) -> dict[str, dict[str, Any]]:
    path = pack / "model_card.json"
    cards: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return cards


def _write(model: str, pack: Path, cards: Mapping[str, Mapping[str, Any]]) -> None:
    text = json.dumps(cards, indent=2, sort_keys=True) + "\n"
    (pack / "model_card.json").write_text(text)
    (pack / "README.md").write_text(render(model, cards))


def _commit() -> str | None:
    """The checkout's commit, marked where files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None
