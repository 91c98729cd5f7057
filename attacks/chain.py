"""Purifiers one after the other: `gaussian-noise[std=0.05]>impress`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.attacks.external import DirPurifier
from impress_bench.benchmark.contract import Context, PurifierHooks, hooks

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Chain(Purifier):
    """Each purifier gets the 8-bit images of the one before it.

    IMPRESS++ (Hönig et al. 2024) purifies by noise and then IMPRESS; its negative prompt and its
    denoising during sampling belong to the exploit and are not part of it. Raises ValueError
    without purifiers.
    """

    name: ClassVar[str] = "chain"

    def __init__(self, *purifiers: Purifier) -> None:
        if not purifiers:
            raise ValueError("a chain needs at least one purifier")
        self.purifiers = purifiers

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """The first reason that any of them gives."""
        reasons = (hooks(purifier, PurifierHooks).skip(model) for purifier in self.purifiers)
        return next((reason for reason in reasons if reason), None)

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """Passed to the first if it is a folder; the others get images and no names."""
        if isinstance(self.purifiers[0], DirPurifier):
            self.purifiers[0].receive_names(subject, names)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """The output of the last purifier."""
        for purifier in self.purifiers:
            images = purifier(images, context).images.to(images.dtype)
        return images
