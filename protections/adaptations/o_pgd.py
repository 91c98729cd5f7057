"""Orthogonal PGD (Bryniarski et al. 2021) against the detection of protections; Section 5.4.

The paper cites Gowal et al. 2020 for it; the attack is from "Evading adversarial example detection
defenses with orthogonal projected gradient descent" (arXiv 2106.15023). Two objectives that a
weighted sum would let one win: f, the protective loss with its hinge, and g, the disagreement of an
image with its reconstruction, by which IMPRESS finds a protection. While f lies above a threshold
tau, a step descends f without changing g, to first order; as soon as it lies below, g without f.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from impress_bench.benchmark.contract import check_pixel_scale
from impress_bench.protections.adaptations.base import Adaptation, Adapted
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.disagreement import CHAINS, Chain
from impress_bench.protections.solvers.orthogonal_pgd import OrthogonalPgd, Variant


class OPgd(Adaptation):
    """Replaces a protection's solver by Orthogonal PGD against consistency; Table 6.

    f is taken on posterior means, so that its values can be compared, and its hinge is the base
    solver's penalty; the f of a base that draws noise besides (a denoising error, say) is noisy all
    the same. Hard budgets of the base hold after every step. f and g are measured on the 8-bit
    image that would be published, and gradients are taken there. The answer is the iterate of
    lowest g among those with f <= tau, else of lowest f.

    Notes for each image: "o-pgd-success" (1 if some iterate reached tau), "o-pgd-success-share" (of
    the steps), "o-pgd-cosine" (mean over the steps of that between both gradients), "o-pgd-g" (g of
    the answer, mean square on [-1, 1] pixels) and "o-pgd-g-base" (g of the base's result).

    Args:
        variant: "orthogonal" projects each gradient off the other's, "selective" takes them as they
            are under the same switch.
        steps: number of steps; at least 1.
        step: root mean square of a step over an image's values; above 0, at most 1 on [0, 1]
            pixels. Steps have that length in L2: signs and Adam would destroy orthogonality.
        tau: threshold of f; any number, in the base's weight and scale. None takes f of the base
            protection's own result on the same image and lets go of the share `margin` of what that
            gained over the clean image.
        margin: share that is let go of; at least 0.
        start: "base" begins at that result, where f is reached already; "clean" at the image, as
            Bryniarski et al. do.
        chain: what reconstructs, see `Consistency`.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "o-pgd"
    title: ClassVar[str] = "O-PGD"

    def __init__(
        self,
        *,
        variant: Variant = "orthogonal",
        steps: int = 1000,
        step: float = 0.5 / 255,
        tau: float | None = None,
        margin: float = 0.05,
        start: Literal["base", "clean"] = "base",
        chain: Chain = "vae",
    ) -> None:
        if variant not in ("orthogonal", "selective"):
            raise ValueError(f"variant must be 'orthogonal' or 'selective', not {variant!r}")
        if start not in ("base", "clean"):
            raise ValueError(f"start must be 'base' or 'clean', not {start!r}")
        if chain not in CHAINS:
            raise ValueError(f"chain must be one of {', '.join(CHAINS)}, not {chain!r}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        if not (step > 0 and margin >= 0):
            raise ValueError("step must be above 0 and margin at least 0")
        check_pixel_scale("step", step)
        self.variant: Variant = variant
        self.steps = steps
        self.step = step
        self.tau = tau
        self.margin = margin
        self.start = start
        self.chain: Chain = chain

    def adapt(self, base: GradientProtection[Any], label: str) -> GradientProtection[Any]:
        """`base` solved so that it stays consistent."""
        return OrthogonalPgdProtection(base.with_means(), self, label)


class OrthogonalPgdProtection(Adapted):
    """A protection under Orthogonal PGD; requires its base's own result."""

    def __init__(self, base: GradientProtection[Any], adaptation: OPgd, label: str) -> None:
        super().__init__(base, adaptation)
        self.label = label
        self.required_parts = {label: base}
        self.solver = OrthogonalPgd(
            label,
            base.solver,
            base.budget,
            adaptation.variant,
            adaptation.steps,
            adaptation.step,
            adaptation.tau,
            adaptation.margin,
            adaptation.start,
            adaptation.chain,
        )

    def requires(self) -> tuple[str, ...]:
        """The base's result, for tau and the start."""
        return tuple(dict.fromkeys([*self.base.requires(), self.label]))
