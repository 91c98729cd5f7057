"""FSMG (Le et al. 2023, Anti-DreamBooth): PGD against one model fine-tuned on the clean images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.trained_surrogate import Surrogate
from impress_bench.protections.solvers.pgd import Pgd


class Fsmg(GradientProtection[Surrogate]):
    """Fully-trained surrogate model guidance: raises the error of a model that knows the images.

    Defaults are Anti-DreamBooth's at 512 px, halved to [0, 1] pixels. Needs a model.

    Departures: the protected images are those the surrogate learns, where the authors hold a second
    set of the same person; no images of the class beside them (prior preservation); the text
    encoder stays as it is; each step of training draws its images anew, where the release goes
    through epochs.

    Args:
        surrogate_steps: steps of fine-tuning on the clean images first; at least 0.
        surrogate_lr: AdamW's learning rate; at least 0.
        batch: images per step of training; at least 1.
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step of PGD; 0 to 1 on [0, 1] pixels.
        steps: steps of PGD; at least 1.
        prompt: of training and attack; "{title}" in it is each image's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "fsmg"
    title: ClassVar[str] = "FSMG"
    granularity: ClassVar[Literal["image", "subject"]] = "subject"

    def __init__(
        self,
        *,
        surrogate_steps: int = 1000,
        surrogate_lr: float = 5e-7,
        batch: int = 2,
        linf: float = 0.025,
        step: float = 0.0025,
        steps: int = 100,
        prompt: str = "a photo of sks person",
    ) -> None:
        check_range(0, surrogate_steps=surrogate_steps, surrogate_lr=surrogate_lr)
        check_range(1, batch=batch)
        self.surrogate_steps = surrogate_steps
        self.surrogate_lr = surrogate_lr
        self.batch = batch
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> Surrogate:
        """A model that has learned the clean images."""
        surrogate = Surrogate.of(self.name, context, self.prompt, images, self.surrogate_lr)
        surrogate.train(surrogate.encoded(images), generators, self.surrogate_steps, self.batch)
        return surrogate

    def loss(
        self, state: Surrogate, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the surrogate's denoising error (B,)."""
        return -state.denoise(x, generators).error.to(x.dtype)
