"""The diffusion classifier (Li et al. 2023): the label under whose prompt noise is predicted best.

The second judge of the IMPRESS paper's Tables 1, 4 and 6. For a label c the error is the mean over
timesteps t of || eps - eps_theta(z_t, t, c) ||^2, with the same noise for every label. Labels that
are far behind after a few timesteps are dropped, so that most passes go to those in question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impress_bench.benchmark.seeds import per_image_generators

if TYPE_CHECKING:
    from impress_bench.benchmark.models.conditioning import Conditioning
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


@dataclass(frozen=True)
class DiffusionClassifier:
    """Ranks `labels` by how well `model`, as pre-trained, predicts the noise under their prompts.

    `rounds` are numbers of evenly spaced timesteps, of which each round adds those that no earlier
    one had; after a round the `keep` labels of least error, over all timesteps so far, go on. The
    defaults are those of the released code: 20, 50, 100 and 500 timesteps, of which 500 are
    evaluated in the end. Latents are posterior means, there is no guidance, errors are means over a
    latent's values. Raises ValueError unless there are as many `keep` as `rounds`, both positive.
    """

    model: LatentDiffusion
    labels: tuple[str, ...]
    prompt: str = "A {} style artwork"
    rounds: tuple[int, ...] = (20, 50, 100, 500)
    keep: tuple[int, ...] = (20, 10, 5, 3)
    batch_size: int = 64

    def __post_init__(self) -> None:
        if len(self.rounds) != len(self.keep) or not self.rounds:
            raise ValueError(f"rounds {self.rounds} need as many keep, not {self.keep}")
        if min(*self.rounds, *self.keep) < 1:
            raise ValueError(f"rounds {self.rounds} and keep {self.keep} must be positive")

    def schedule(self) -> list[list[float]]:
        """The levels of noise that each round adds: timesteps, for Stable Diffusion."""
        finest = max(self.rounds)
        levels = self.model.even_levels(finest).tolist()
        seen: set[float] = set()
        added = []
        for count in self.rounds:
            # Coarser rounds use levels of the finest, which therefore repeats none of them.
            even = [levels[int((i + 0.5) * finest / count)] for i in range(count)]
            added.append([t for t in even if t not in seen])
            seen.update(even)
        return added

    @torch.no_grad()
    def ranks(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The place (B, L) of each label for images (B, 3, H, W) in [0, 1], 0 for the best. Labels
        that were dropped come after those that went on. Image i has noise of its own."""
        latents = self.model.scale(self.model.encode(images))
        prompts = self.model.embed([self.prompt.format(label) for label in self.labels])
        generators = per_image_generators(generator, len(images))
        pairs = zip(latents, generators, strict=True)
        return torch.stack([self._rank(latent, prompts, stream) for latent, stream in pairs])

    def _rank(self, latent: Tensor, prompts: Conditioning, generator: torch.Generator) -> Tensor:
        """Places (L,) for one latent (C, h, w)."""
        order = list(range(len(self.labels)))
        sums = torch.zeros(len(order))
        kept = len(order)
        for levels, going_on in zip(self.schedule(), self.keep, strict=True):
            shape = (len(levels), *latent.shape)
            noise = torch.randn(shape, generator=generator).to(latent)
            alive = order[:kept]
            sums[alive] += self._errors(latent, prompts[alive], levels, noise).sum(dim=1).cpu()
            # Every label that is alive has met the same levels, so sums compare as means do.
            order[:kept] = sorted(alive, key=lambda label: float(sums[label]))
            kept = min(kept, going_on)
        places = torch.empty(len(order), dtype=torch.long)
        places[torch.tensor(order)] = torch.arange(len(order))
        return places

    def _errors(
        self, latent: Tensor, prompts: Conditioning, levels: Sequence[float], noise: Tensor
    ) -> Tensor:
        """Mean squared error (labels, levels) of the prediction for every pair."""
        at = torch.tensor(levels, device=latent.device)
        clean = latent.expand_as(noise)
        noisy = self.model.noise(clean, at, noise)
        wanted = self.model.wanted(clean, at, noise)
        pairs = [(label, k) for label in range(len(prompts)) for k in range(len(levels))]
        parts = []
        for part in _chunks(pairs, self.batch_size):
            label, k = torch.tensor(part, device=latent.device).T
            predicted = self.model.predict(noisy[k], at[k], prompts[label])
            parts.append((predicted - wanted[k]).square().flatten(1).mean(dim=1))
        return torch.cat(parts).view(len(prompts), len(levels))


def _chunks(pairs: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    """Consecutive parts of at most `size`."""
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]
