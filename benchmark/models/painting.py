"""What a model paints from prompts alone, as a mimic does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.seeds import Generators, as_generators
from impress_bench.benchmark.unfinished import Unfinished

#: The name of the state that is kept, and a folder for none.
STATE = "painting"
NOTHING_KEPT = Unfinished()


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


@torch.no_grad()
def paint(
    model: LatentDiffusion,
    prompts: Sequence[str],
    generator: Generators,
    *,
    steps: int,
    guidance_scale: float,
    sampler: str = "model",
    batch_size: int = 32,
    progress: Callable[[int, int], None] = _silent,
    unfinished: Unfinished = NOTHING_KEPT,
) -> Tensor:
    """One image per prompt, (B, 3, H, W) in [0, 1].

    Image i has noise of its own derived from `generator`, the same whatever the weights: conditions
    are compared pairwise. `sampler` is the "model"'s own, or another that its family knows, as
    "dpm-solver++", which the paper samples with. Images that are kept in `unfinished` are not
    painted again. Raises ValueError for a sampler that the family does not know.
    """
    generators = as_generators(generator, len(prompts))
    kept = unfinished.resume(STATE, model.device)
    parts = [] if kept is None else [kept]
    for start in range(sum(map(len, parts)), len(prompts), batch_size):
        part = slice(start, start + batch_size)
        made = model.sample(
            prompts[part],
            generators[part],
            steps=steps,
            guidance_scale=guidance_scale,
            sampler=sampler,
        )
        parts.append(made.float())
        if unfinished.due:
            unfinished.keep(STATE, torch.cat(parts))
        progress(min(start + batch_size, len(prompts)), len(prompts))
    return torch.cat(parts).clamp(0, 1)
