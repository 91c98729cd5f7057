"""A model and a task that need no torch, so that a run with everything stored imports none."""

import os
import time
from typing import ClassVar

import numpy as np

from impress_bench.benchmark.contract import ImageSet
from impress_bench.benchmark.tasks.base import MetricInfo, Task, TaskSettings


class Tiny:
    """Stands where a latent diffusion model would."""

    digest = "tiny-1"

    def reconstruct(self, images):
        """What it sees of images: less contrast."""
        return 0.5 * images + 0.2


def load_tiny():
    """A model that costs nothing."""
    return Tiny()


load_tiny.digest = lambda: Tiny.digest


class Other(Tiny):
    """Another model, that a protection or purifier may hold, or a task as its target."""

    digest = "tiny-2"


def load_other():
    """Another model that costs nothing."""
    return Other()


load_other.digest = lambda: Other.digest


class Third(Tiny):
    """One more."""

    digest = "tiny-4"


def load_third():
    """One more model that costs nothing."""
    return Third()


load_third.digest = lambda: Third.digest


def load_again():
    """The first model under another name."""
    return Tiny()


load_again.digest = lambda: Tiny.digest


class Copying(Task):
    """Copies images with noise and asks how near the copies come to the clean copy."""

    name = "copying"
    metrics = (MetricInfo("nearness", "Nearness", True), MetricInfo("spread", "Spread", False))
    controls: ClassVar = {"blank": "A blank canvas"}
    needs_reference = True

    class Settings(TaskSettings):
        size: int = 8
        broken_score: bool = False

    def subjects(self):
        return ("ada", "ben", "cleo")

    def originals(self, subject):
        draw = np.random.default_rng(sum(map(ord, subject)))
        pixels = draw.integers(40, 200, (2, self.settings.size, self.settings.size, 3))
        return ImageSet(pixels.astype(np.uint8), ("one", "two"), ("a hill", "a cow"))

    def exploit(self, subject, images, model, seed, progress, control=None):
        time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
        progress(1, 1)
        darker = {"tiny-1": 0, "tiny-2": 30}[model.digest]
        noise = np.random.default_rng(seed).integers(-9, 9, images.images.shape)
        pixels = np.zeros_like(images.images) if control == "blank" else images.images
        copied = (pixels.astype(int) + noise - darker).clip(0, 255).astype(np.uint8)
        shown = () if control else tuple(f"copy of {name}" for name in images.names)
        return ImageSet(copied, images.names, shown)

    def score(self, subject, exploited, reference):
        gap = np.abs(exploited.images.astype(float) - reference.images.astype(float))
        nearness = float("nan") if self.settings.broken_score else float(-gap.mean())
        return {"nearness": nearness, "spread": float(exploited.images.std())}


class Crowded(Copying):
    """As many subjects as are asked for: large plans."""

    name = "crowded"

    class Settings(Copying.Settings):
        people: int = 3

    def subjects(self):
        return tuple(f"person-{number:05}" for number in range(self.settings.people))
