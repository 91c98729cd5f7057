"""Pairs of clean and protected images, which the learned purifier is trained and measured on.

Everything protected here is by pre-training artists: no victim's and no validation artist's work.
Settings are those of the preset `mini`, at budgets from 4/255 to 16/255.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from impress_bench.benchmark.atelier.train.data import PaintedSet, per_movement
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.families.loading import load_pretrained
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.pixels import to_pixels, to_tensor
from impress_bench.protections.advdm import AdvDM
from impress_bench.protections.base import Protection
from impress_bench.protections.glaze import Glaze
from impress_bench.protections.mist import Mist
from impress_bench.protections.nightshade import Nightshade
from impress_bench.protections.photoguard_diffusion import PhotoGuardDiffusion
from impress_bench.protections.photoguard_encoder import PhotoGuardEncoder
from impress_bench.protections.pid import Pid
from impress_bench.protections.sds import Sds

#: L-inf budgets in 8-bit levels, each of an equal share of a protection's pairs.
LEVELS = (4, 8, 12, 16)
#: Pairs per protection and budget, the steps of its descent, and how many images descend together.
PAIRS, STEPS, TOGETHER = 256, 40, {"cpu": 32, "cuda": 256}
#: Held-out paintings of each movement, and photographs, that figures are of.
HELD_OUT, HELD_OUT_PHOTOGRAPHS = 8, 64


@dataclass(frozen=True)
class Kind:
    """A protection by its registered name, what it is put on, and how it is made for a bound on
    [0, 1] pixels."""

    name: str
    photographs: bool
    made: Callable[[float], Protection]

    @property
    def label(self) -> str:
        """The name, with what it is put on where that is not the usual paintings."""
        return f"{self.name} on photographs" if self.photographs else self.name


@dataclass(frozen=True)
class Pairs:
    """uint8 images (N, 64, 64, 3), clean and the same protected."""

    clean: np.ndarray
    protected: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """All pairs of `parts`, at least one."""
        return cls(
            np.concatenate([part.clean for part in parts]),
            np.concatenate([part.protected for part in parts]),
        )


def _encoder(linf: float) -> Protection:
    return PhotoGuardEncoder(linf=linf, step=linf / 8, steps=STEPS)


def _glaze(linf: float) -> Protection:
    return Glaze(
        target="engraving",
        p=0.1,
        steps=STEPS,
        lr=0.02,
        linf=linf,
        strength=0.8,
        guidance_scale=5.0,
        transfer_steps=20,
    )


def _diffusion(linf: float) -> Protection:
    bound = linf / (16 / 255)  # the presets' radius of 1 stands beside 16/255
    return PhotoGuardDiffusion(radius=bound, step=0.2 * bound, steps=min(15, STEPS), repeats=2)


def _nightshade(linf: float) -> Protection:
    return Nightshade(
        prompt="engraving",
        linf=linf,
        step=linf / 4,
        steps=STEPS,
        sampling_steps=20,
        guidance_scale=3.0,
    )


#: What the network is trained on.
SEEN = (
    Kind("glaze", False, _glaze),
    Kind("photoguard-encoder", False, _encoder),
    Kind("photoguard-encoder", True, _encoder),
    Kind("photoguard-diffusion", True, _diffusion),
    Kind("mist", False, lambda linf: Mist(linf=linf, steps=STEPS)),
    Kind("advdm", False, lambda linf: AdvDM(linf=linf, steps=STEPS, prompt="a painting")),
    Kind("pid", False, lambda linf: Pid(linf=linf, steps=STEPS)),
)
#: What it never sees, and is measured on.
UNSEEN = (
    Kind("sds", False, lambda linf: Sds(linf=linf, steps=STEPS, prompt="a painting")),
    Kind("nightshade", False, _nightshade),
)
#: What `--without` may leave out.
NAMES = tuple(dict.fromkeys(kind.name for kind in SEEN))


class Maker:
    """Makes pairs with the model in a job's pack, or reads those that were made before."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._model: LatentDiffusion | None = None
        self._pack = job.digest("vae", "unet", "text_encoder", "inpainting")

    def training(self, kind: Kind) -> Pairs:
        """`PAIRS` at each budget, on pre-training paintings or photographs drawn at random."""
        if kind.photographs:
            drawn = self._job.painted("pretrain", "pretrain", 400, ("portrait",), "photography")
        else:
            drawn = self._job.painted("pretrain", "pretrain", 60)
        parts = []
        for level in LEVELS:
            seed = int.from_bytes(hashlib.sha256(f"{kind.label} {level}".encode()).digest()[:4])
            order = np.random.default_rng(seed).permutation(len(drawn))[:PAIRS]
            parts.append(self._made(kind, level, drawn.select(order), seed))
        return Pairs.joined(parts)

    def held_out(self, kind: Kind, level: int) -> Pairs:
        """Held-out works at one budget."""
        if kind.photographs:
            drawn = self._job.painted("pretrain", "heldout", 20, ("portrait",), "photography")
            drawn = drawn.select(np.arange(min(HELD_OUT_PHOTOGRAPHS, len(drawn))))
        else:
            drawn = per_movement(self._job.painted("pretrain", "heldout", 10), HELD_OUT)
        return self._made(kind, level, drawn, 0)

    def model(self) -> LatentDiffusion:
        """The pack's model on the job's device."""
        if self._model is None:
            self._model = load_pretrained(self._job.pack, str(self._job.device))
        return self._model

    def _made(self, kind: Kind, level: int, works: PaintedSet, seed: int) -> Pairs:
        protection = kind.made(level / 255)
        key = hashlib.sha256(works.images.tobytes() + works.masks.tobytes())
        key.update(json.dumps([kind.label, level, STEPS, seed, self._pack]).encode())
        name = f"{kind.label.replace(' ', '-')}-{level}-{key.hexdigest()[:12]}.npz"
        path = self._job.work / "pairs" / name
        if not path.exists():
            began = time.monotonic()
            protected = self._protected(protection, kind, works, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, allow_pickle=False, protected=protected)
            temporary.replace(path)
            seconds = time.monotonic() - began
            print(
                f"pairs: {len(works)} of {kind.label} at {level}/255, {seconds:.0f} s", flush=True
            )
        return Pairs(works.images, np.load(path, allow_pickle=False)["protected"])

    def _protected(
        self, protection: Protection, kind: Kind, works: PaintedSet, seed: int
    ) -> np.ndarray:
        """uint8 images under `protection`; the mask of a photograph is its head."""
        device, model = self._job.device, self.model()
        generator = torch.Generator().manual_seed(seed)
        made = []
        size = TOGETHER.get(device.type, 32)
        for start in range(0, len(works), size):
            batch = works.select(np.arange(start, min(start + size, len(works))))
            masks = torch.from_numpy(batch.masks).to(device) if kind.photographs else None
            context = Context(generator, model, titles=batch.titles, masks=masks)
            made.append(to_pixels(protection(to_tensor(batch.images).to(device), context).images))
        return np.concatenate(made)
