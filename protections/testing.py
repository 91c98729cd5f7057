"""Conformance of a protection, for its own tests and for `impress-bench check`.

```python
from impress_bench.protections.testing import ProtectionConformance

class TestMyCloak(ProtectionConformance):
    def build(self):
        return MyCloak(steps=20)
```
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impress_bench.benchmark.conformance import Conformance, ConformanceError, Photos
from impress_bench.benchmark.contract import Budget, Context, Protected, ProtectionHooks, hooks
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import BUDGET_NORMS
from impress_bench.protections.base import GradientProtection


class ProtectionConformance(Conformance):
    """What every protection must satisfy. A control, which is not meant to protect, sets `control =
    True`, here or on its class."""

    control = False

    def context(self, photos: Photos, seed: int = 0) -> Context:
        """Titles, masks, the surrogate, and required results: noise of 4/255 for each."""
        noisy = signs(photos.images, 4 / 255)
        moved = {name: norm(noisy, photos.images) for name, norm in BUDGET_NORMS.items()}
        plugin = self.build()
        required = hooks(plugin, ProtectionHooks).requires()
        return Context(
            torch.Generator().manual_seed(seed),
            self.model(),
            photos.titles,
            photos.masks,
            dict.fromkeys(required, Protected(noisy, **moved)),
        )

    def test_keeps_its_budget(self) -> None:
        """What is published lies within the declared hard budget, at every size.

        Protections are compared at equal budgets. Project after every step, and declare in [0, 1]:
        an epsilon on [-1, 1] is twice as large.
        """
        for size in self.sizes:
            photos = self.photos(size=size)
            published = self.apply(photos)
            budget: Budget = hooks(self.build(), ProtectionHooks).budget
            moved = {name: norm(published, photos.images) for name, norm in BUDGET_NORMS.items()}
            for index in range(len(published)):
                measured = {name: float(values[index]) for name, values in moved.items()}
                if excess := budget.excess(measured):
                    raise ConformanceError(
                        f"{self._name()}: image {index} at {size} exceeds its budget {budget}:"
                        f" {excess}"
                    )

    def test_moves_only_where_it_says(self) -> None:
        """Nothing moves outside of what `movable` allows.

        An editor replaces the rest, so that the budget is wasted there. Multiply steps by
        `movable`.
        """
        plugin, photos = self.build(), self.photos()
        if not isinstance(plugin, GradientProtection):
            return
        region = plugin.movable(photos.images, self.context(photos))
        outside = (self.apply(photos) - photos.images) * (region == 0)
        if float(outside.abs().max()) > 0:
            raise ConformanceError(f"{self._name()}: moves values outside of its movable region")

    def test_does_more_than_noise(self) -> None:
        """Images move, and further towards the goal than under random noise of equal size.

        Any perturbation degrades what a model learns; a protection must do more. The goal is the
        protection's own objective if it has one, otherwise how far latents move. Try more steps, or
        check the sign of the objective. A control sets control = True.
        """
        if self.control or hooks(self.build(), ProtectionHooks).control:
            return
        photos = self.photos()
        protected = self.apply(photos)
        size = float((protected - photos.images).square().mean().sqrt())
        if size == 0:
            raise ConformanceError(f"{self._name()}: changes nothing")
        noisy = signs(photos.images, size)
        reached, by_noise = (self._progress(photos, x) for x in (protected, noisy))
        if not reached > max(by_noise, 0):
            raise ConformanceError(
                f"{self._name()}: gets {reached:.4g} closer to its goal, and noise of the same size"
                f" {by_noise:.4g}"
            )

    def _progress(self, photos: Photos, x: Tensor) -> float:
        """How far the goal is nearer at `x` than at the clean photos."""
        plugin: Any = self.build()
        if not isinstance(plugin, GradientProtection):
            latents = [self.model().encode(y) for y in (x, photos.images)]
            return float((latents[0] - latents[1]).square().sum())
        streams = per_image_generators(torch.Generator().manual_seed(2), len(x))
        state = plugin.prepare(photos.images, self.context(photos), streams)
        losses = []
        for y in (photos.images, x):
            y = y.clone().requires_grad_(True)  # some losses ask for their own gradient
            values = []
            for draw in range(8):
                streams = per_image_generators(_stream(draw), len(x))
                values.append(plugin.loss(state, y, 0, streams).detach().sum())
            losses.append(float(torch.stack(values).mean()))
        return losses[0] - losses[1]


def signs(images: Tensor, size: float) -> Tensor:
    """`images` with each value moved by plus or minus `size`."""
    draw = torch.Generator().manual_seed(3)
    moves = 2 * torch.randint(2, images.shape, generator=draw).to(images) - 1
    return (images + size * moves).clamp(0, 1)


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
