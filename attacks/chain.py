"""Purifiers one after the other: `gaussian-noise[std=0.05]>impress`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Chain(Purifier):
    """Each purifier gets the 8-bit images of the one before it.

    IMPRESS++ (Hönig et al. 2024) prepares images so, by noise and then IMPRESS; its negative prompt
    and its denoising while sampling belong to the exploit and are not part of it. Raises ValueError
    without purifiers.
    """

    name: ClassVar[str] = "chain"

    def __init__(self, *purifiers: Purifier) -> None:
        if not purifiers:
            raise ValueError("a chain needs at least one purifier")
        self.purifiers = purifiers

    def skip(self, subject: str, model: LatentDiffusion | None) -> str | None:
        """The first reason of any of them; a purifier of others need not have one."""
        asked = (getattr(purifier, "skip", None) for purifier in self.purifiers)
        reasons = (skip(subject, model) for skip in asked if skip is not None)
        return next((reason for reason in reasons if reason), None)

    def tell(self, subject: str, names: Sequence[str]) -> None:
        """Which images will be asked for, to those that want to know (`dir:` does)."""
        for purifier in self.purifiers:
            if hasattr(purifier, "tell"):
                purifier.tell(subject, names)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """What the last one makes of them."""
        for purifier in self.purifiers:
            images = purifier(images, context).images.to(images.dtype)
        return images
