"""A few steps of IMPRESS that gradients pass through, for `+purifier[expects=…]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from impress_bench.attacks.impress import Impress
from impress_bench.benchmark.seeds import randn_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class UnrolledImpress(Impress):
    """IMPRESS by plain descent, differentiable in the protected images; Algorithm 1.

    Steps on the mean of squares at the rate `lr` / `eps`, which is what the released Adam amounts
    to where gradients lie far below its eps (see `Impress`), without its momentum and annealing.
    Where gradients are wanted every step is stored, second derivatives included: memory grows with
    `steps`, so a handful is what it is for. Needs a model.

    Args:
        steps: steps of the descent; at least 1.
        lr: learning rate; at least 0, on [-1, 1] pixels.
        alpha: weight of the LPIPS hinge; at least 0.
        lpips_budget: Delta, the LPIPS below which the hinge costs nothing; at least 0.
        sigma: standard deviation of the noise added at the start, not clipped; 0 to 2 on [-1, 1]
            pixels.
        lpips_net: net of the hinge, "alex" or "vgg". The released code uses "vgg", whose weights
            are not embedded.
        eps: divides the rate; above 0, no unit. None means 1e-5 * 786432 / N for images of N = 3HW
            values, the released 1e-5 at 512 px (N = 786432). Gradients of a mean shrink as 1/N and
            lie far below the released eps, so Adam is momentum descent at the rate lr / eps; a
            fixed eps would turn it into sign descent on small images.
        lpips_resize: shorter side to which smaller images are enlarged before LPIPS; at least 1, in
            px, None to leave them.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "impress-unrolled"
    title: ClassVar[str] = "IMPRESS, unrolled"

    def __init__(
        self,
        *,
        steps: int = 3,
        lr: float = 0.05,
        alpha: float = 0.1,
        lpips_budget: float = 0.1,
        sigma: float = 0.0,
        lpips_net: str = "alex",
        eps: float | None = None,
        lpips_resize: int | None = 224,
    ) -> None:
        super().__init__(
            steps=steps, lr=lr, alpha=alpha, lpips_budget=lpips_budget, sigma=sigma,
            lpips_net=lpips_net, eps=eps, lpips_resize=lpips_resize,
        )  # fmt: skip

    def optimise(
        self,
        protected: Tensor,
        model: LatentDiffusion,
        generators: Sequence[torch.Generator],
        progress: Callable[[int, int], None],
    ) -> Tensor:
        """Purified images for `protected`, both (B, 3, H, W) in [-1, 1]."""
        wanted = torch.is_grad_enabled() and protected.requires_grad
        eps = 1e-5 * 786432 / protected[0].numel() if self.eps is None else self.eps
        x = protected + self.sigma * randn_per_image(generators, protected)
        with torch.set_grad_enabled(wanted):
            loss = self.objective(protected, model)
        for step in range(self.steps):
            # Of the kernels of attention, which Stable Diffusion's VAE has, one alone has a second
            # derivative.
            kernel = sdpa_kernel(SDPBackend.MATH) if wanted else nullcontext()
            with torch.enable_grad(), kernel:
                point = x if x.requires_grad else x.detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(loss(point).sum(), point, create_graph=wanted)
            x = (point if wanted else point.detach()) - self.lr / eps * slope
            x = x.clamp(-1, 1)
            progress(step + 1, self.steps)
        return x
