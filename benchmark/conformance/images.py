"""What every protection and purifier must satisfy."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.benchmark.atelier import load_atelier
from impress_bench.benchmark.conformance.case import Case, ConformanceError, Photos
from impress_bench.benchmark.contract import Context, PluginHooks, Protected, hooks
from impress_bench.benchmark.pixels import check_images, round_to_8bit

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Conformance(Case):
    """Checks that protections and purifiers have in common; a plugin's test subclasses one of
    `ProtectionConformance` and `PurifierConformance` and writes `build`."""

    def model(self) -> LatentDiffusion:
        """The surrogate that is handed to the plugin."""
        return _atelier()

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


@lru_cache(maxsize=1)
def _atelier() -> LatentDiffusion:
    return load_atelier()
