"""A case of conformance: checks that run under pytest and on their own.

A check is a method `test_…` whose docstring states what it refuses, why that matters and what to
do.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.pixels import round_to_8bit, to_tensor

#: What global random states are seeded with before a plugin may not change them.
SCRAMBLED = 20_231_104


class ConformanceError(AssertionError):
    """A plugin violates what the benchmark relies on; the message states what to do."""


class Photos(NamedTuple):
    """Portraits (B, 3, H, W) in [0, 1], their titles, and bool (B, H, W), true on heads."""

    images: Tensor
    titles: tuple[str, ...]
    masks: Tensor


class Case(ABC):
    """Checks that plugins of all kinds have in common."""

    #: Heights and widths; latent models want multiples of eight.
    sizes = ((64, 64), (64, 96))

    @abstractmethod
    def build(self) -> Any:
        """A new plugin object, with parameters that make it fast."""

    @abstractmethod
    def apply(self, photos: Photos, seed: int = 0) -> Tensor:
        """The output of a new plugin for `photos`."""

    def photos(self, count: int = 2, size: tuple[int, int] = (64, 64)) -> Photos:
        """Portraits by artists that the embedded model was not trained on."""
        artist = world.artists("validation")[0]
        works = [world.paint(artist, "portrait", "heldout", index) for index in range(count)]
        images = torch.cat([to_tensor(work.image[None]) for work in works])
        masks = torch.stack([torch.from_numpy(work.head_mask) for work in works])
        if size != (64, 64):
            images = interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
            masks = interpolate(masks[:, None].float(), size)[:, 0] > 0.5
        return Photos(round_to_8bit(images), tuple(work.title for work in works), masks)

    def test_leaves_global_state_alone(self) -> None:
        """Random states, gradient mode, threads and default dtype are unchanged afterwards.

        Results must not depend on what ran before. Draw from `context.generator`, and change
        settings in a `with` block only. Global random states are scrambled first, so that a plugin
        that seeds them with a constant is caught.
        """
        photos = self.photos()
        with random_state(SCRAMBLED):
            before = _global_state()
            self.apply(photos)
            changed = [name for name, value in _global_state().items() if value != before[name]]
        if changed:
            raise ConformanceError(f"{self._name()}: changes {', '.join(changed)}")

    def test_is_deterministic(self) -> None:
        """Equal calls give equal results, whatever the global random state.

        Stored results are compared with results computed again. Draw from `context.generator`, or
        in a metric from a generator with a fixed seed.
        """
        photos, answers = self.photos(), []
        for seed in (1, 2):
            with random_state(seed):
                answers.append(self.apply(photos))
        if not torch.equal(*answers):
            raise ConformanceError(f"{self._name()}: equal calls give different results")

    def _name(self) -> str:
        return str(getattr(self.build(), "name", type(self).__name__))


def checks(case: Case) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Name, first line of the documentation, and method of every check, in order of definition:
    those of its kind, then those that all kinds have in common."""
    names: dict[str, None] = {}
    kinds = list(reversed(type(case).__mro__))
    kinds.sort(key=lambda kind: kind is Case)
    for kind in kinds:
        names.update(dict.fromkeys(name for name in vars(kind) if name.startswith("test_")))
    for name in names:
        check = getattr(case, name)
        yield name.removeprefix("test_"), (check.__doc__ or "").strip().partition("\n")[0], check


def _global_state() -> dict[str, Any]:
    """Global state that a plugin must not change, by a readable name."""
    return {
        "torch's random state": torch.get_rng_state().numpy().tobytes(),
        "numpy's random state": repr(np.random.get_state()),
        "Python's random state": random.getstate(),
        "the gradient mode": torch.is_grad_enabled(),
        "the number of threads": torch.get_num_threads(),
        "the default dtype": torch.get_default_dtype(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
    }


@contextmanager
def random_state(seed: int) -> Iterator[None]:
    """Global generators seeded, and put back."""
    saved = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(saved[0])
            np.random.set_state(saved[1])
