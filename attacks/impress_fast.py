"""IMPRESS's objective (Cao et al. 2023, Eq. 4.1) in a tenth of the passes.

    x <- x - l_k m,   m <- .5 m + .5 g / rms(g),   g the gradient of Eq. 4.1 in x

Plain descent is as slow as the encoder's least sensitive direction, and its rate may be no higher
than the most sensitive one allows. Here a step has a length on pixels, whatever the gradient's
size, and the mean over steps cancels what changes sign along the sensitive ones. Ours; not in the
paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.attacks.impress import Impress
from impress_bench.benchmark.contract import check_range
from impress_bench.benchmark.seeds import randn_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class FastImpress(Impress):
    """Descends IMPRESS's objective by normalised gradients with momentum.

    Starting noise, objective and last iterate are those of `Impress`; the rule of the steps and
    their number are not. Each image's gradient is divided by its own root mean square, so that no
    result depends on the batch, and lengths fall by a cosine. More steps lower the objective
    further and move latents away from the clean ones again: consistency is overfitted.

    The defaults were chosen on validation photos and works, on both of the atelier's calibrated
    encoders; docs/reference/plugins.md has the figures. Needs a model.

    Args:
        steps: steps of the descent; at least 1.
        length: root mean square of the first step; 0 to 1, on [0, 1] pixels.
        momentum: share of the former direction in the next one; 0 to 1, which stands still, no
            unit.
        stop: share of the published image's objective at which that image's descent ends; 0 to 1,
            where 0 is never, no unit. It takes one pass more than `steps` at most.
        alpha: weight of the LPIPS hinge; at least 0.
        lpips_budget: Delta, the LPIPS below which the hinge costs nothing; at least 0.
        sigma: standard deviation of the noise added at the start, not clipped; 0 to 2 on [-1, 1]
            pixels.
        lpips_net: net of the hinge, "alex" or "vgg".
        lpips_resize: shorter side to which smaller images are enlarged before LPIPS; at least 1, in
            px, None to leave them.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "impress-fast"
    title: ClassVar[str] = "IMPRESS, fast"

    def __init__(
        self,
        *,
        steps: int = 10,
        length: float = 0.015,
        momentum: float = 0.5,
        stop: float = 0.0,
        alpha: float = 0.1,
        lpips_budget: float = 0.1,
        sigma: float = 0.05,
        lpips_net: str = "alex",
        lpips_resize: int | None = 224,
    ) -> None:
        super().__init__(
            steps=steps, alpha=alpha, lpips_budget=lpips_budget, sigma=sigma,
            lpips_net=lpips_net, lpips_resize=lpips_resize,
        )  # fmt: skip
        check_range(0, 1, length=length, momentum=momentum, stop=stop)
        self.length = length
        self.momentum = momentum
        self.stop = stop

    def optimise(
        self,
        protected: Tensor,
        model: LatentDiffusion,
        generators: Sequence[torch.Generator],
        progress: Callable[[int, int], None],
    ) -> Tensor:
        """Purified images for `protected`, both (B, 3, H, W) in [-1, 1]."""
        x = protected + self.sigma * randn_per_image(generators, protected)
        loss = self.objective(protected, model)
        direction = torch.zeros_like(x)
        enough = self.stop * loss(protected) if self.stop else x.new_zeros(len(x))
        for step in range(self.steps):
            x.requires_grad_(True)
            with torch.enable_grad():
                value = loss(x)
                (gradient,) = torch.autograd.grad(value.sum(), x)
            going = ~(value.detach() <= enough)[:, None, None, None]  # what is not a number goes on
            if not going.any():
                break
            size = gradient.square().flatten(1).mean(dim=1).sqrt()[:, None, None, None]
            unit = gradient / size.clamp_min(torch.finfo(size.dtype).tiny)
            direction = self.momentum * direction + (1 - self.momentum) * unit
            length = self.length * (1 + math.cos(math.pi * step / self.steps)) / 2
            moved = (x.detach() - 2 * length * direction).clamp(-1, 1)
            x = torch.where(going, moved, x.detach())
            progress(step + 1, self.steps)
        return x.detach()
