"""BlurGuard (Kim et al. 2025, NeurIPS): a perturbation that is smooth where the image is.

    x' = clamp(x + clip(sum over regions i of  m_i * (G(sigma_i) conv p), eps))

A purifier removes high frequencies first. The perturbation is blurred region by region, so that it
hides in the frequencies that the image has, and the objective is pursued through the blur.
"""

from __future__ import annotations

from typing import Any, ClassVar

from impress_bench.benchmark.contract import check_range
from impress_bench.protections.adaptations.base import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.solvers.blurred_pgd import BlurredPgd


class BlurGuard(Adaptation):
    """Replaces a protection's solver by descent on a perturbation that is blurred by region.

    Equations, settings and defaults are those of jsu-kim/BlurGuard at da9fa35
    (code/attacks.py, configs/attack/base.yaml), on [0, 1] pixels. In the first `sigma_steps` steps
    each region's deviation sigma_i is learned: by Adam on log sigma_i from 0, so that Gaussian
    noise, clipped to the budget and blurred, changes the log power of the image's spectrum the
    least in the ring where it changes it the most. Those steps do not use the objective and need no
    pass through a network. In the rest sigma_i is fixed and p, from 0 and unbounded, descends the
    objective along the gradient divided by each image's norm, by a step that shrinks linearly to a
    hundredth over all `steps`. The blurred p is clipped to the base's budget; the last iterate is
    the answer.

    The released protection is `photoguard-encoder[target=zero,linf=16/255]+blurguard`, but for its
    drawing latents from the posterior where the base takes the mean. Notes "blurguard-sigma", each
    image's mean deviation in pixels.

    Departures: regions are clusters of colour (SLIC), where the release asks Segment Anything,
    whose weights are 2.6 GB; a base with an L2 budget is shortened and not clipped; a base's hinge
    stays; and the perturbation lies where the base may move images.

    Args:
        regions: about how many regions an image is divided into; at least 1. The release has one
            for each of the masks that Segment Anything finds from a grid of 2 x 2 points, and one
            for the rest.
        steps: steps in all; at least 2.
        sigma_steps: those of them that learn deviations; at least 0, fewer than `steps`.
        sigma_lr: Adam's learning rate of log sigma; at least 0.
        step: first length of a step, the Euclidean norm of an image's p on [0, 1] pixels; at least
            0. It grows with the side of the image: 0.125 at 64 px is what 1 is at 512.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "blurguard"
    title: ClassVar[str] = "BlurGuard"

    def __init__(
        self,
        *,
        regions: int = 5,
        steps: int = 150,
        sigma_steps: int = 50,
        sigma_lr: float = 0.06,
        step: float = 1.0,
    ) -> None:
        check_range(1, regions=regions)
        check_range(2, steps=steps)
        check_range(0, sigma_steps=sigma_steps, sigma_lr=sigma_lr, step=step)
        if sigma_steps >= steps:
            raise ValueError(f"sigma_steps must be below steps, {steps}, not {sigma_steps}")
        self.regions = regions
        self.steps = steps
        self.sigma_steps = sigma_steps
        self.sigma_lr = sigma_lr
        self.step = step

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` with a blurred perturbation."""
        return BlurGuardProtection(base, self)


class BlurGuardProtection(Adapted):
    """A protection whose perturbation is blurred."""

    def __init__(self, base: GradientProtection[Any], adaptation: BlurGuard) -> None:
        super().__init__(base, adaptation)
        self.solver = BlurredPgd(
            base.solver,
            base.budget,
            adaptation.regions,
            adaptation.steps,
            adaptation.sigma_steps,
            adaptation.sigma_lr,
            adaptation.step,
        )
