"""AdvPaint (Jeon et al. 2025, ICLR): an editor's attention is led away from the photo.

    max over |delta| <= budget of  (1/n) sum over layers of
        || Q_s - Q_s0 || + || K_s - K_s0 || + || V_s - V_s0 || + || Q_c - Q_c0 ||

for queries, keys and values of the n self-attentions (s) and queries of the cross-attentions (c) of
an inpainting model's first step, and those of the clean photo (0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor

from impress_bench.benchmark.contract import Budget, Context, PluginError, State, check_range
from impress_bench.benchmark.models.inpainting import latent_mask, masked_out
from impress_bench.benchmark.seeds import randn_per_image
from impress_bench.protections.base import GradientProtection
from impress_bench.protections.objectives.capture import captured
from impress_bench.protections.objectives.masks import kept_region
from impress_bench.protections.solvers.pgd import Pgd

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class EditorState(NamedTuple):
    """The surrogate, its first level, prompts (2B rows: none, then each photo's), what is kept,
    (B, 1, H, W), and projections of the clean photos by layer, (2B, ...)."""

    model: LatentDiffusion
    level: Tensor
    prompts: Conditioning
    kept: Tensor
    clean: Mapping[str, Tensor]


class AdvPaint(GradientProtection[EditorState]):
    """Moves an inpainting model's attention away from that on the clean photo.

    Equations are those of JoonsungJeon/AdvPaint at aa2a642 (AdvPaint.py), halved to [0, 1] pixels;
    `linf`, `step` and `steps` are the published ones, where its arguments have 0.05, 0.025 and 100
    by default. The norm of a layer counts both halves of classifier-free guidance. Gradients go
    through the latents of the masked photo alone: those that the noise is added to are of the
    moved photo, and constant. Each draws latents and noise of its own, the clean photo's once.
    Needs a model with an inpainting U-Net whose projections are known, and is skipped without.

    Departure: the release goes on with a second mask, the complement of the first, which moves only
    what this editor replaces; here only what the mask keeps moves, as of the other protections
    against editing.

    Args:
        linf: hard bound; 0 to 1 on [0, 1] pixels.
        step: first length of a step, which shrinks linearly to a hundredth; 0 to 1 on [0, 1]
            pixels.
        steps: steps of PGD; at least 1.
        diffusion_steps: steps of the editor, whose first is attacked; at least 1.
        random_start: begin uniformly within the bound, or at the photo.
        prompt: of the editor; "{title}" in it is each photo's own.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "adv-paint"
    title: ClassVar[str] = "AdvPaint"

    def __init__(
        self,
        *,
        linf: float = 0.03,
        step: float = 0.015,
        steps: int = 250,
        diffusion_steps: int = 50,
        random_start: bool = True,
        prompt: str = "{title}",
    ) -> None:
        check_range(1, diffusion_steps=diffusion_steps)
        self.diffusion_steps = diffusion_steps
        self.prompt = prompt
        self.solver = Pgd(steps, step, linf=linf, decay=True, random_start=random_start)
        self.budget = Budget(linf=linf)

    def movable(self, images: Tensor, context: Context) -> Tensor:
        """What the editor keeps: the rest is replaced."""
        return kept_region(images, context)

    def prepare(
        self, images: Tensor, context: Context, generators: Sequence[torch.Generator]
    ) -> EditorState:
        """The clean photos' projections. Raises PluginError, with the state `skipped`, if the model
        cannot inpaint or does not name its projections."""
        model, count = context.require_model(self.name), len(images)
        if problem := model.inpainting_problem:
            raise PluginError(self.name, problem, State.SKIPPED)
        if not model.inpainter_projections:
            raise PluginError(
                self.name, "needs a model that names inpainter_projections", State.SKIPPED
            )
        titles = context.titles if len(context.titles) == count else [""] * count
        given = [self.prompt.format(title=title) for title in titles]
        level, kept = model.sampler(self.diffusion_steps).levels[:1], kept_region(images, context)
        with torch.no_grad():
            state = EditorState(model, level, model.embed([""] * count + given), kept, {})
            return state._replace(clean=_projections(state, images, generators))

    def loss(
        self, state: EditorState, x: Tensor, step: int, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Minus the distance (B,) of the projections, summed and divided by the self-attentions."""
        found, total = _projections(state, x, generators), x.new_zeros(len(x))
        for layer, values in found.items():
            gap = (values - state.clean[layer]).to(x.dtype).flatten(1)
            # One norm for both halves of guidance.
            total = total + gap.square().sum(dim=1).view(2, -1).sum(dim=0).sqrt()
        # Each has four: Q, K and V of its own, and Q of the cross-attention beside it.
        return -total / (len(found) / 4)


def _projections(
    state: EditorState, x: Tensor, generators: Sequence[torch.Generator]
) -> dict[str, Tensor]:
    """What the attentions make of `x` at the editor's first step, by layer (2B, ...)."""
    model, count = state.model, len(x)
    with torch.no_grad():
        plain = model.scale(model.encode(x, True, generators))
        noise = randn_per_image(generators, plain)
        noisy = model.noise(plain, state.level.expand(count), noise)
    masked = model.scale(model.encode(masked_out(x, state.kept), True, generators))
    mask = latent_mask(model, state.kept)
    assert model.inpainter is not None
    with captured(model.inpainter, model.inpainter_projections) as seen:
        model.predict_inpainting(
            torch.cat([noisy, noisy]),
            state.level.expand(2 * count),
            state.prompts,
            torch.cat([mask, mask]),
            torch.cat([masked, masked]),
        )
    return seen
