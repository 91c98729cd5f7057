"""IMPRESS (Cao et al. 2023), the paper's purifier: Eq. 4.1 and Algorithm 1.

    min over x of  d(x, D(E(x))) + alpha * max(LPIPS(x, x_protected) - Delta, 0)

A protected image differs more from its reconstruction by the autoencoder than a clean one does.
IMPRESS searches near the protected image for one that agrees with its reconstruction. Both sides of
the first term carry gradient: x is not held fixed as a target.

Pixels are on [-1, 1] here, as published; only `purify` converts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context, check_pixel_scale, check_range
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image
from impress_bench.metrics.lpips import lpips_hinge

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class Impress(Purifier):
    """Optimises an image to match its own reconstruction, near the protected one; Algorithm 1.

    Defaults are those of the GLAZE experiment at 512 px (Appendix B; sigma and eps from the
    released code). PhotoGuard's are steps=1000, lr=0.005, alpha=0.01, sigma=0.05.

    The way travelled on the summed loss is about T = (sum of the annealed rates) / (eps N): 1.9 for
    these defaults, 0.32 for PhotoGuard's. With the default eps it does not depend on the size of
    the images. When `steps` is cut, raise `lr` to keep T, or say that it was not kept.

    The last iterate is the answer, not the best. The released code has a batch of one; here losses
    are summed over the batch and each image has its own noise, so that none depends on another.
    Needs a model; works in its dtype, at least float32.

    Args:
        steps: steps of the descent; at least 1.
        lr: learning rate at the start; at least 0, on [-1, 1] pixels.
        alpha: weight of the LPIPS hinge; at least 0.
        lpips_budget: Delta, the LPIPS below which the hinge costs nothing; at least 0.
        sigma: standard deviation of the noise added at the start, not clipped; 0 to 2 on [-1, 1]
            pixels.
        lpips_net: net of the hinge, "alex" or "vgg". The released code uses "vgg", whose weights
            are not embedded.
        eps: Adam's; above 0, no unit. None means 1e-5 * 786432 / N for images of N = 3HW values,
            the released 1e-5 at 512 px (N = 786432). Gradients of a mean shrink as 1/N and lie far
            below the released eps, so Adam is momentum descent at the rate lr / eps; a fixed eps
            would turn it into sign descent on small images.
        source: "released" is Adam with `eps`, its rate annealed by a cosine to 1e-5, on the mean of
            squared differences. "paper" is plain descent at the constant rate `lr` on their sum, as
            Algorithm 1 is written. The paper gives no rate for it: the released run amounts to
            about lr / (eps N) = 1.3e-3, which is the value to pass. The same alpha weighs N times
            less there.
        lpips_resize: shorter side to which smaller images are enlarged before LPIPS, as for
            budgets; at least 1, in px, None to leave them. At 512 px it makes no difference.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "impress"
    title: ClassVar[str] = "IMPRESS"

    def __init__(
        self,
        *,
        steps: int = 3000,
        lr: float = 0.01,
        alpha: float = 0.1,
        lpips_budget: float = 0.1,
        sigma: float = 0.1,
        lpips_net: str = "alex",
        eps: float | None = None,
        source: Literal["released", "paper"] = "released",
        lpips_resize: int | None = 224,
    ) -> None:
        if source not in ("released", "paper"):
            raise ValueError(f"source must be 'released' or 'paper', not {source!r}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        check_range(0, lr=lr, alpha=alpha, lpips_budget=lpips_budget, sigma=sigma)
        check_range(1, lpips_resize=lpips_resize)
        check_range(above=0, eps=eps)
        check_pixel_scale("sigma", sigma, span=2)
        self.steps = steps
        self.lr = lr
        self.alpha = alpha
        self.lpips_budget = lpips_budget
        self.sigma = sigma
        self.lpips_net = lpips_net
        self.eps = eps
        self.source = source
        self.lpips_resize = lpips_resize

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Purified images in [0, 1]."""
        model = context.require_model(self.name)
        protected = 2 * images.to(model.device, torch.promote_types(model.dtype, torch.float32)) - 1
        generators = per_image_generators(context.generator, len(images))
        purified = self.optimise(protected, model, generators, context.progress)
        return ((purified + 1) / 2).clamp(0, 1)

    def optimise(
        self,
        protected: Tensor,
        model: LatentDiffusion,
        generators: Sequence[torch.Generator],
        progress: Callable[[int, int], None],
    ) -> Tensor:
        """Algorithm 1: purified images for `protected`, both (B, 3, H, W) in [-1, 1]."""
        x = protected + self.sigma * randn_per_image(generators, protected)
        x.requires_grad_(True)
        optimiser: torch.optim.Optimizer
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None
        if self.source == "released":
            eps = 1e-5 * 786432 / protected[0].numel() if self.eps is None else self.eps
            optimiser = torch.optim.Adam([x], lr=self.lr, eps=eps)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps, 1e-5)
        else:
            optimiser = torch.optim.SGD([x], lr=self.lr)
        loss = self.objective(protected, model)
        for step in range(self.steps):
            with torch.enable_grad():
                (x.grad,) = torch.autograd.grad(loss(x).sum(), x)
            optimiser.step()
            if schedule is not None:
                schedule.step()
            with torch.no_grad():
                x.clamp_(-1, 1)
            progress(step + 1, self.steps)
        return x.detach()

    def objective(self, protected: Tensor, model: LatentDiffusion) -> Callable[[Tensor], Tensor]:
        """The objective (B,) as a function of x, both (B, 3, H, W) on [-1, 1]."""
        hinge = lpips_hinge(
            (protected + 1) / 2, self.lpips_budget, self.lpips_net, self.lpips_resize
        )

        def loss(x: Tensor) -> Tensor:
            reconstructed = 2 * model.reconstruct((x + 1) / 2).to(x.dtype) - 1
            squares = (x - reconstructed).square().flatten(1)
            mean = self.source == "released"
            consistency = squares.mean(dim=1) if mean else squares.sum(dim=1)
            return consistency + self.alpha * hinge((x + 1) / 2)

        return loss
