"""PAP (Wan et al. 2024, NeurIPS): the denoising error is raised under many prompts.

    max over |delta| <= budget of  E over c ~ N(c', H^2) of  || eps - eps_theta(z_t, t, c) ||^2

A prompt's embedding c_0 is moved to c' where the error is low, and others are drawn around it; H is
Laplace's estimate of how far the error's valley reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, check_range
from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.seeds import randn_per_image
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.denoising import denoise_latents
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class PromptState(NamedTuple):
    """The surrogate and the embedding to start from, one row."""

    model: LatentDiffusion
    prompt: Conditioning


class Pap(GradientProtection[PromptState]):
    """Prompt-agnostic perturbation: raises the denoising error under prompts drawn at each step.

    Defaults are those of the authors' attack/papv2.py and scripts/pap2.sh at 4db13cc, halved to
    [0, 1] pixels; 120 steps are its 20 rounds of 6, between which nothing is trained. At each step
    t and eps are drawn, and `prompt_steps` gradient steps lower the error over the embedding; then
    H = mean (c_0 - c')^2 / (2 |L(c_0) - L(c')|), and c is drawn around c' with the deviation H^2,
    as released. Their first version (papv1.py) has prompt_lr 0.001, and moves the embedding once a
    round. Needs a model. Departures: error and H are each image's own, where the release takes
    means over a batch of four; the error at c_0 is that of the first gradient step, where the
    release computes it again.

    Args:
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: length of a step; 0 to 1 on [0, 1] pixels. The release fixes 1/255 on [-1, 1], and
            does not read its argument.
        steps: steps of PGD; at least 1.
        prompt_steps: gradient steps of the embedding within each; at least 1.
        prompt_lr: their rate, on the mean squared error; at least 0. While steps are small, H is
            half of `prompt_lr` * `prompt_steps` over the number of an embedding's values, 59,136 in
            Stable Diffusion 1; a model of shorter or narrower prompts needs a lower rate.
        prompt: whose embedding is c_0.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "pap"
    title: ClassVar[str] = "PAP"

    def __init__(
        self,
        *,
        linf: float = 0.025,
        step: float = 0.5 / 255,
        steps: int = 120,
        prompt_steps: int = 20,
        prompt_lr: float = 1000.0,
        prompt: str = "a photo of sks person",
    ) -> None:
        check_range(1, prompt_steps=prompt_steps)
        check_range(0, prompt_lr=prompt_lr)
        self.prompt_steps = prompt_steps
        self.prompt_lr = prompt_lr
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf)
        self.budget = Budget(linf=linf)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> PromptState:
        """The surrogate with its prompt."""
        model = context.require_model(self.name)
        with torch.no_grad():
            return PromptState(model, model.embed([self.prompt]))

    def loss(
        self, state: PromptState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the denoising error (B,) under a prompt drawn for each image."""
        model = state.model
        latents = model.scale(model.encode(x, True, generators))
        levels = model.draw_levels(generators)
        noise = randn_per_image(generators, latents)
        prompts = self._drawn(model, latents.detach(), levels, noise, state.prompt, generators)
        seen = denoise_latents(model, latents, prompts, generators, levels=levels, noise=noise)
        return -seen.error.to(x.dtype)

    def _drawn(
        self,
        model: LatentDiffusion,
        latents: Tensor,
        levels: Tensor,
        noise: Tensor,
        prompt: Conditioning,
        generators: Sequence[torch.Generator],
    ) -> Conditioning:
        """One prompt per image, around the one that its error is low under."""

        def errors(prompts: Conditioning) -> Tensor:
            seen = denoise_latents(model, latents, prompts, generators, levels=levels, noise=noise)
            return seen.error

        start = {name: rows.detach() for name, rows in prompt.expand(len(latents)).tensors.items()}
        moved, first = dict(start), torch.empty(0)
        for step in range(self.prompt_steps):
            moved = {name: rows.detach().requires_grad_(True) for name, rows in moved.items()}
            with torch.enable_grad():
                error = errors(Conditioning(moved))
                slopes = torch.autograd.grad(error.sum(), list(moved.values()))
            first = error.detach() if step == 0 else first
            moved = {
                name: rows.detach() - self.prompt_lr * slope
                for (name, rows), slope in zip(moved.items(), slopes, strict=True)
            }
        with torch.no_grad():
            fall = (first - errors(Conditioning(moved))).abs().clamp(min=1e-12)
            gaps = [(start[name] - rows).flatten(1) for name, rows in moved.items()]
            reach = torch.cat(gaps, dim=1).square().mean(dim=1) / (2 * fall)
            return Conditioning(
                {
                    name: rows + _wide(reach.square(), rows) * randn_per_image(generators, rows)
                    for name, rows in moved.items()
                }
            )


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """`values` (B,) with as many dimensions as `like` (B, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))
