"""Runs a recipe and records its figures in the pack's model card."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impress_bench.benchmark.atelier import PACK, UNCALIBRATED
from impress_bench.benchmark.atelier.train.card_text import CALIBRATION, CARD, SAID
from impress_bench.benchmark.atelier.train.sizes import MODELS
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.models.hub import PLUGINS

if TYPE_CHECKING:
    from impress_bench.benchmark.atelier.train.job import Job

#: Optimizer steps of each recipe, in training order.
RECIPES = {
    "vae": 6500,
    "encoder": 1800,
    "denoiser": 8000,
    "clip": 1000,
    "inpainter": 2400,
    "immuniser": 1000,
    "purifier": 700,
    "pixel": 1500,
}
#: The file or folder of a pack that shows that a part was trained; a denoiser's is its network.
WRITES = {
    "vae": Path("vae"),
    "encoder": UNCALIBRATED,
    "clip": Path("clip"),
    "inpainter": Path("inpainting") / "unet",
    "immuniser": Path(PLUGINS) / "immuniser",
    "purifier": Path(PLUGINS) / "learned",
    "pixel": Path(PLUGINS) / "pixel",
}
#: The earlier parts that a part learns from: denoiser and inpainter from the calibrated encoder's
#: latents, the classifiers from reconstructions, the purifier from protections computed on all.
LEARNS_FROM: dict[str, tuple[str, ...]] = {
    "vae": (),
    "encoder": ("vae",),
    "denoiser": ("vae", "encoder"),
    "clip": ("vae", "encoder"),
    "inpainter": ("vae", "encoder", "denoiser"),
    "immuniser": ("vae", "encoder"),
    "purifier": ("vae", "encoder", "denoiser", "inpainter"),
    "pixel": (),
}
#: What must be there before a part is trained: clip reads the denoiser's tokenizer, too, and the
#: figures of pixel are latents.
NEEDS = {**LEARNS_FROM, "clip": ("vae", "encoder", "denoiser"), "pixel": ("vae", "encoder")}


def check(part: str, model: str, pack: Path) -> None:
    """Raise ConfigError if `model` has no such part, or if `pack` lacks a part that it needs;
    "figures" needs a denoiser."""
    if part != "figures" and part not in SAID[model]["recipes"]:
        raise ConfigError(f"{model} has no {part}; its parts are {_listed(SAID[model]['recipes'])}")
    needed = ("vae", "denoiser") if part == "figures" else NEEDS[part]
    if MODELS[model].autoencoder_of is not None:
        needed = tuple(name for name in needed if name != "encoder")  # in its vae, a copy
    missing = [name for name in needed if not _trained(name, model, pack)]
    if missing:
        raise ConfigError(
            f"{part} needs {_listed(missing)}, which {pack} does not have; train first: "
            f"{_listed(name for name in RECIPES if name in missing)}, in this order"
        )


def trained_steps(part: str, model: str, pack: Path) -> int:
    """Steps that `part` of `model` in `pack` has had, for a job that goes on from there.

    Raises ConfigError for a part whose recipe cannot go on, and for one that the pack lacks.
    """
    if part != "denoiser":
        raise ConfigError(f"only the denoiser can go on from its weights, not {part}")
    steps = _read(pack).get(part, {}).get("steps")
    if steps is None or not _trained(part, model, pack):
        raise ConfigError(f"{pack} has no {part} to go on from; leave out --onward")
    return int(steps)


def left_out(part: str, names: Sequence[str]) -> tuple[str, ...]:
    """Protections that a part is not to learn from, sorted.

    Raises ConfigError for a part that learns from none, and for a protection that is not among
    those that the purifier is trained on.
    """
    if not names:
        return ()
    if part != "purifier":
        raise ConfigError(f"only the purifier learns from protections, not {part}")
    from impress_bench.benchmark.atelier.train.pairs import NAMES

    if unknown := [name for name in names if name not in NAMES]:
        raise ConfigError(f"the purifier is not trained on {_listed(unknown)}: {_listed(NAMES)}")
    return tuple(sorted(set(names)))


def record(part: str, model: str, job: Job) -> None:
    """Train `part` of `model` as `job` says and record commit, seed, device, hours and held-out
    figures in the pack's model_card.json and README.md.

    Parts that learned from an earlier state of this one are marked "older than" it. Raises
    ConfigError as `check` does.
    """
    from impress_bench.benchmark.atelier.train.job import description

    if job.sizes.autoencoder_of is not None:
        shutil.copytree(PACK / "vae", job.pack / "vae", dirs_exist_ok=True)
    check(part, model, job.pack)
    name = SAID[model]["denoiser"] if part == "denoiser" else part
    recipe = getattr(importlib.import_module(f"{__package__}.recipes.{name}"), f"train_{name}")
    commit = _commit()  # of what was imported, not of a checkout that changes while it trains
    job.pack.mkdir(parents=True, exist_ok=True)
    before = _read(job.pack).get(part, {})
    figures = recipe(job)
    cards = _read(job.pack)
    entry = " without ".join((part, *job.without))
    cards[entry] = {
        "commit": commit,
        "seed": job.sizes.seed,
        "device": description(job.device),
        **figures,
    }
    if job.onward:
        cards[entry] |= {
            "steps": job.onward + job.steps,
            "hours": before["hours"] + figures["hours"],
            "went_on_after_steps": job.onward,
        }
    if part == "vae":
        cards.pop("encoder", None)  # what it had calibrated is gone
    for later, of_later in cards.items():
        if part in LEARNS_FROM[_part(later)]:
            older = {*of_later.get("older_than", ()), part}
            of_later["older_than"] = [name for name in RECIPES if name in older]
    _write(model, job.pack, cards)
    print(json.dumps(cards[entry], indent=2))
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
        if not _trained(part, model, job.pack):
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
        f"| {entry} | {name.replace('_', ' ')} | {_shown(value)} |"
        for part in RECIPES
        for entry in sorted(cards)
        if _part(entry) == part
        for name, value in sorted(cards[entry].items())
    ]
    return CARD.format(
        title=said["title"],
        introduction=said["introduction"],
        compression=said["compression"],
        parts=said["parts"],
        options=said["options"],
        calibration=calibration,
        order=_listed(said["recipes"]),
        rows="\n".join(rows),
    )


def _trained(part: str, model: str, pack: Path) -> bool:
    """Whether `part` of `model` is in `pack`."""
    folder = Path(SAID[model]["network"]) if part == "denoiser" else WRITES[part]
    return (pack / folder).exists()


def _part(entry: str) -> str:
    """The part that an entry of the card is about: "purifier without glaze" is about purifier."""
    return entry.partition(" ")[0]


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
