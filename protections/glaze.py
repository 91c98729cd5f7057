"""GLAZE (Shan et al. 2023) as the paper reimplements it: Eq. 3.4 and IMPRESS's released `glaze.py`.

    min over delta of  d(E(x + delta), E(target style of x)) + alpha * max(LPIPS - p, 0)

The perturbed image's latents are drawn to those of the same image redrawn in another style, so that
a model fine-tuned on them learns that style. The redrawing is img2img with the surrogate itself.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.prompts import unknown_words
from impress_bench.protections.solvers.adam_hinge import AdamHinge

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class GlazeState(NamedTuple):
    """The surrogate, and the posterior of the redrawn images' latents."""

    model: LatentDiffusion
    target: Posterior


class Glaze(GradientProtection[GlazeState]):
    """Moves latents to a target style within a soft LPIPS budget; Eq. 3.4.

    Defaults are those of the paper at 512 px (Appendix B). Latents are unscaled. Needs a model.
    Departure: the image is redrawn by DDIM, with noise of its own, where the release has
    DPM-Solver++ and the seed 0 for each. A target whose words the model's tokenizer can only spell
    is warned of.

    Args:
        target: prompt of the redrawing; the released code takes this one for every artist. It
            should name a style that is never the victim's.
        p: LPIPS below it costs nothing, and delta starts uniform in [-p, p] on [-1, 1] pixels; at
            least 0.
        alpha: weight of the LPIPS hinge; at least 0.
        steps: steps of Adam; at least 1.
        lr: Adam's learning rate; 0 to 2 on [-1, 1] pixels.
        linf: hard bound; 0 to 1 on [0, 1] pixels, None (the paper) for no bound. At 64 px LPIPS
            alone does not keep a perturbation invisible; 16/255 is used there.
        lpips_net: net of the hinge, "alex" or "vgg". The released code uses "vgg", whose weights
            are not embedded. Budgets are always measured with "alex".
        strength: share of the schedule up to which the image is noised before it is redrawn; 0 to
            1. 0.5 as in the released `trainset_style_trans_all.py`.
        guidance_scale: guidance of the redrawing; at least 0, none up to 1.
        transfer_steps: steps of the redrawing's whole schedule; at least 1 / `strength`.
        source: "released" takes the mean of squared latent differences, as the code does, "paper"
            their sum, as Eq. 3.4 is written; at 512 px that weakens the same alpha 16,384-fold.
        sample: draw both latents anew from their posteriors at each step, as released, or take
            posterior means.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "glaze"
    title: ClassVar[str] = "GLAZE"

    def __init__(
        self,
        *,
        target: str = "Cubism by Picasso style",
        p: float = 0.05,
        alpha: float = 30.0,
        steps: int = 500,
        lr: float = 0.01,
        linf: float | None = None,
        lpips_net: str = "alex",
        strength: float = 0.5,
        guidance_scale: float = 7.5,
        transfer_steps: int = 50,
        source: Literal["released", "paper"] = "released",
        sample: bool = True,
    ) -> None:
        if source not in ("released", "paper"):
            raise ValueError(f"source must be 'released' or 'paper', not {source!r}")
        check_range(0, 1, strength=strength)
        check_range(0, guidance_scale=guidance_scale)
        check_range(1, transfer_steps=transfer_steps)
        if int(strength * transfer_steps) < 1:
            raise ValueError(
                f"transfer_steps={transfer_steps} at strength={strength} leave no step that redraws"
            )
        self.target = target
        self.strength = strength
        self.guidance_scale = guidance_scale
        self.transfer_steps = transfer_steps
        self.source = source
        self.sample = sample
        self.solver = AdamHinge(steps, lr, p, alpha, linf, lpips_net)
        self.budget = Budget(linf=linf, lpips=p, soft=frozenset({"lpips"}))

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> GlazeState:
        """The images redrawn in the target style."""
        model = context.require_model(self.name)
        if unknown := unknown_words(model, self.target):
            warnings.warn(
                f"glaze: the model does not know {', '.join(map(repr, unknown))} of the target"
                f" {self.target!r}; name a style that it was trained on",
                stacklevel=2,
            )
        with torch.no_grad():
            redrawn = model.img2img(
                images,
                [self.target] * len(images),
                strength=self.strength,
                steps=self.transfer_steps,
                guidance_scale=self.guidance_scale,
                generator=generators,
            )
            return GlazeState(model, model.posterior(redrawn))

    def with_means(self) -> Glaze:
        """A copy with `sample=False`."""
        other = copy.copy(self)
        other.sample = False
        return other

    def loss(
        self, state: GlazeState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Squared distance (B,) of the latents of `x` to those of the redrawn images."""
        latents = state.model.encode(x, self.sample, generators)
        target = state.target.sample(generators) if self.sample else state.target.mean
        squares = (latents - target).to(x.dtype).square().flatten(1)
        return squares.mean(dim=1) if self.source == "released" else squares.sum(dim=1)
