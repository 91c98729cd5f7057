"""Random noise as visible as a given protection: the control that separates effect from damage.

Any perturbation degrades what a model learns. Only what a protection does beyond noise of the same
visibility is due to its objective.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.benchmark.seeds import per_image_generators
from impress_bench.metrics import lpips_to
from impress_bench.protections.base import Protection
from impress_bench.protections.objectives.masks import kept_region


class RandomNoise(Protection):
    """Random signs times one amplitude per image, as visible as `match` as far as `linf` allows.

    Each value moves by +a or -a 8-bit levels with equal chance. A fractional a is met by moving
    that share of the values one level further, so that LPIPS can be matched finely on 8-bit images.
    The amplitude is found by bisection, as the smallest whose LPIPS, measured as budgets are,
    reaches that of `match` on the same image.

    The match is in LPIPS alone: L-infinity and L2 come out as they do and are measured and shown.
    Neither is capped at what `match` measured, since a capped control could be less visible than
    the protection. Where even noise of the size `linf` stays below the LPIPS of `match`, the image
    gets noise of that size, the loudest the bound allows, and the measured LPIPS shows the
    shortfall.

    Args:
        match: the protection to be matched, with its parameters: "glaze[p=0.1]".
        linf: hard bound; 0 to 1 on [0, 1] pixels, None for no bound. For benchmarks that give every
            protection the same.
        bisections: halvings of the range of amplitudes; at least 0.
        within: where noise falls: on the whole "image", or within its "mask", on what an editor
            keeps, where a protection against editing has to work.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "random-noise"
    title: ClassVar[str] = "Random noise"
    control: ClassVar[bool] = True

    def __init__(
        self,
        *,
        match: str = "glaze",
        linf: float | None = None,
        bisections: int = 18,
        within: Literal["image", "mask"] = "image",
    ) -> None:
        if within not in ("image", "mask"):
            raise ValueError(f"within must be 'image' or 'mask', not {within!r}")
        check_range(0, bisections=bisections)
        self.match = match
        self.within = within
        self.budget = Budget(linf=linf)
        self.levels = 255 if linf is None else int(linf * 255 + 1e-3)
        self.bisections = bisections

    def requires(self) -> tuple[str, ...]:
        """The protection whose visibility is matched."""
        return (self.match,)

    def perturb(self, images: Tensor, context: Context) -> Tensor:
        """Noisy images, one at a time, so that a bisection does not depend on the batch."""
        goals = context.results[self.match].lpips.tolist()
        generators = per_image_generators(context.generator, len(images))
        region = torch.ones_like(images[:, :1])
        if self.within == "mask":
            region = kept_region(images, context)
        noisy = []
        for i, (goal, generator) in enumerate(zip(goals, generators, strict=True)):
            noisy.append(self._match(images[i : i + 1], region[i : i + 1], goal, generator))
            context.progress(i + 1, len(images))
        return torch.cat(noisy)

    def _match(
        self, image: Tensor, region: Tensor, goal: float, generator: torch.Generator
    ) -> Tensor:
        """`image` (1, 3, H, W) under the weakest noise whose LPIPS is at least `goal`."""
        signs = region * (2 * torch.randint(2, image.shape, generator=generator).to(image) - 1)
        offsets = torch.rand(image.shape, generator=generator).to(image)

        def noisy(amplitude: float) -> Tensor:
            levels = (amplitude + offsets).floor().clamp(max=self.levels)
            return (image + signs * levels / 255).clamp(0, 1)

        low, high = 0.0, float(self.levels)
        if goal <= 0:
            return image
        distance = lpips_to(image, resize=224)
        for _ in range(self.bisections):
            middle = (low + high) / 2
            if float(distance(noisy(middle))) < goal:
                low = middle
            else:
                high = middle
        return noisy(high)
