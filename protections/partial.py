"""A set of works of which a share is protected: how many unprotected ones undo a protection?

An artist protects what they publish from now on; what is out there already stays as it is, and a
mimic learns from both (Shan et al. 2023 vary that share for GLAZE).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Context, PluginError, State, check_range
from impress_bench.protections.base import Protection


class Partial(Protection):
    """The images of protection `of` for a share of a subject's works, the clean ones for the rest.

    Which works these are is drawn from the generator, in one order for every share: a larger share
    contains a smaller one, and all rows of a subject agree. A purifier gets the whole set, as a
    mimic who cannot tell them apart would purify it. The row of `of` itself is the share 1, and the
    clean row 0. The note "partial-protected" is 1 for each work that is protected.

    Args:
        of: the protection, with its parameters and adaptations: "glaze[p=0.1]".
        share: share of the works that are protected, rounded to works, of which one at least; 0.1
            to 1.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "partial"
    title: ClassVar[str] = "Partly protected"
    granularity = "subject"

    def __init__(self, *, of: str, share: float = 0.5) -> None:
        check_range(0.1, 1, share=share)
        self.of = of
        self.share = share

    def requires(self) -> tuple[str, ...]:
        """The protection whose images are mixed with clean ones."""
        return (self.of,)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """Each work as it is protected, or as it was. Raises PluginError, by which a cell is
        skipped, for a single image."""
        count = len(images)
        if count < 2:
            reason = "a single image cannot be partly protected"
            raise PluginError(self.name, reason, State.SKIPPED)
        order = torch.randperm(count, generator=context.generator)
        chosen = torch.zeros(count, dtype=torch.bool)
        chosen[order[: max(1, round(self.share * count))]] = True
        context.note("partial-protected", chosen.float().tolist())
        protected = context.results[self.of].images.to(images)
        return torch.where(chosen.to(images.device)[:, None, None, None], protected, images)
