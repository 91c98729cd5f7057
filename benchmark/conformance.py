"""What every protection and purifier must satisfy, as checks that run under pytest and on their
own.

A check is a method `test_…` whose docstring states what it refuses, why that matters and what to
do.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from impress_bench.benchmark.atelier import load_atelier, world
from impress_bench.benchmark.contract import Context, PluginHooks, Protected, hooks
from impress_bench.benchmark.pixels import check_images, round_to_8bit, to_tensor

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


#: What global random states are seeded with before a plugin may not change them.
SCRAMBLED = 20_231_104


class ConformanceError(AssertionError):
    """A plugin violates what the benchmark relies on; the message states what to do."""


class Photos(NamedTuple):
    """Portraits (B, 3, H, W) in [0, 1], their titles, and bool (B, H, W), true on heads."""

    images: Tensor
    titles: tuple[str, ...]
    masks: Tensor


class Conformance(ABC):
    """Checks that protections and purifiers have in common; a plugin's test subclasses one of
    `ProtectionConformance` and `PurifierConformance` and writes `build`."""

    #: Heights and widths; latent models want multiples of eight.
    sizes = ((64, 64), (64, 96))

    @abstractmethod
    def build(self) -> Any:
        """A new plugin object, with parameters that make it fast."""

    def model(self) -> LatentDiffusion:
        """The surrogate that is handed to the plugin."""
        return _atelier()

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

    @abstractmethod
    def context(self, photos: Photos, seed: int = 0) -> Context:
        """What the plugin is given besides `photos`."""

    def apply(self, photos: Photos, seed: int = 0) -> Tensor:
        """The output of a new plugin for `photos`."""
        plugin = self.build()
        answer = plugin(photos.images.clone(), self.context(photos, seed))
        images: Tensor = answer.images
        return images

    def test_answers_with_valid_images(self) -> None:
        """Images of the same shape, 8-bit values in [0, 1], square or not.

        Stages exchange PNGs: nothing else can be published. Clip, keep the shape, and let the base
        class round.
        """
        for size in self.sizes:
            photos = self.photos(size=size)
            answer = self.apply(photos)
            check_images(self._name(), "output", answer, like=photos.images)
            if not torch.equal(round_to_8bit(answer), answer.float()):
                raise ConformanceError(f"{self._name()}: values lie between 8-bit levels")

    def test_leaves_its_input_alone(self) -> None:
        """The input tensor is unchanged afterwards.

        Other plugins get the same tensor. Work on a clone: in-place operations end in an
        underscore.
        """
        photos = self.photos()
        given = photos.images.clone()
        self.build()(given, self.context(photos))
        if not torch.equal(given, photos.images):
            raise ConformanceError(f"{self._name()}: edits the images it is given")

    def test_leaves_global_state_alone(self) -> None:
        """Random states, gradient mode, threads and default dtype are unchanged afterwards.

        Results must not depend on what ran before. Draw from `context.generator`, and change
        settings in a `with` block only. Global random states are scrambled first, so that a plugin
        that seeds them with a constant is caught.
        """
        photos = self.photos()
        with _random_state(SCRAMBLED):
            before = _global_state()
            self.apply(photos)
            changed = [name for name, value in _global_state().items() if value != before[name]]
        if changed:
            raise ConformanceError(f"{self._name()}: changes {', '.join(changed)}")

    def test_is_deterministic(self) -> None:
        """The same generator gives the same bytes, whatever the global random state.

        Stored results are compared with results computed again. Draw from `context.generator`.
        """
        photos, answers = self.photos(), []
        for seed in (1, 2):
            with _random_state(seed):
                answers.append(self.apply(photos))
        if not torch.equal(*answers):
            raise ConformanceError(f"{self._name()}: the same generator gives different images")

    def test_images_do_not_depend_on_their_neighbours(self) -> None:
        """Each image's result is the same alone and in a batch, but for the last bits.

        Batches are cut as memory allows, and the parts get one generator in turn. Sum losses over
        images instead of taking a mean over the batch, and give each image a generator of its own
        (`seeds.per_image_generators`). A protection that optimises a subject's images jointly says
        so by granularity = "subject".
        """
        if hooks(self.build(), PluginHooks).granularity == "subject":
            return
        photos = self.photos(3)
        together, given = self.apply(photos), self.context(photos)
        for index in range(len(together)):
            part = slice(index, index + 1)
            answer = self.build()(photos.images[part].clone(), part_of(given, part))
            gap = float((together[part] - answer.images).abs().mean())
            if gap > 1 / 255:
                raise ConformanceError(
                    f"{self._name()}: image {index} of {len(together)} comes out"
                    f" {255 * gap:.1f} levels apart on average when it has neighbours"
                )

    def test_works_under_autocast(self) -> None:
        """Under bfloat16 autocast the output is still a valid image.

        Runs on GPUs use it. Keep sums and optimised tensors in float32.
        """
        photos = self.photos(1)
        with torch.autocast("cpu", torch.bfloat16):
            answer = self.apply(photos)
        check_images(self._name(), "output under autocast", answer.float(), like=photos.images)

    def _name(self) -> str:
        return str(getattr(self.build(), "name", type(self).__name__))


def part_of(context: Context, part: slice) -> Context:
    """The context of a slice of the images, with the same generator."""
    return replace(
        context,
        titles=context.titles[part],
        masks=None if context.masks is None else context.masks[part],
        results={
            name: Protected(*(values[part] for values in result))
            for name, result in context.results.items()
        },
    )


def checks(case: Conformance) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Name, first line of the documentation, and method of every check, in order of definition."""
    names: dict[str, None] = {}
    for kind in reversed(type(case).__mro__):
        names.update(dict.fromkeys(name for name in vars(kind) if name.startswith("test_")))
    for name in names:
        check = getattr(case, name)
        yield name.removeprefix("test_"), (check.__doc__ or "").strip().partition("\n")[0], check


@lru_cache(maxsize=1)
def _atelier() -> LatentDiffusion:
    return load_atelier()


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
def _random_state(seed: int) -> Iterator[None]:
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
