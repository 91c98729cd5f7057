"""GrIDPure (Zhao et al. 2024): many weak purifications by diffusion, over tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.attacks.redrawing import Redrawing
from impress_bench.benchmark.contract import Context, PluginError
from impress_bench.benchmark.pixels import round_to_8bit
from impress_bench.benchmark.seeds import per_image_generators

if TYPE_CHECKING:
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion


class GridPure(Purifier):
    """Repeats: purify tiles with a small t*, average where they overlap, keep a little of before.

    Defaults are those of the released README. Images are rounded to 8 bits after every iteration,
    where the release truncates. Images no larger than a tile are one tile. Otherwise the four
    corners, half a tile wide, make up one tile more, since they are covered once only. Departures
    as in `DiffPure`. Needs a model.

    Args:
        iterations: number of repetitions; at least 1.
        strength: t* as a share of the schedule; above 0, at most 1. 10 of 1000 as released.
        gamma: share that is kept of the images before; 0 to 1, 1 excluded.
        tile: side of a tile, whose stride is half of it; at least 2, in px.
        steps: DDIM steps of the whole schedule, of which the share `strength` is taken; at least 1
            / strength. With 1000 each of the ten timesteps, as released; with 100 one step from t*
            to 0, for a tenth of the time.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "gridpure"
    title: ClassVar[str] = "GrIDPure"

    def __init__(
        self,
        *,
        iterations: int = 20,
        strength: float = 0.01,
        gamma: float = 0.1,
        tile: int = 256,
        steps: int = 1000,
    ) -> None:
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {iterations}")
        if tile < 8 or tile % 8:
            # What the usual autoencoders halve three times; `purify` asks the model itself.
            raise ValueError(f"tile must be a multiple of 8, not {tile}")
        if not (0 < strength <= 1 and 0 <= gamma < 1):
            raise ValueError("strength must lie in (0, 1] and gamma in [0, 1)")
        self.redraw = Redrawing(strength, steps)
        self.iterations = iterations
        self.gamma = gamma
        self.tile = tile

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images after all iterations."""
        model = context.require_model(self.name)
        if max(images.shape[-2:]) > self.tile and self.tile % model.side_multiple:
            raise PluginError(
                self.name,
                f"tile must be a multiple of {model.side_multiple} for this model, not {self.tile}",
            )
        generators = per_image_generators(context.generator, len(images))
        for iteration in range(self.iterations):
            pure = self._over_tiles(images, model, generators)
            images = round_to_8bit((1 - self.gamma) * pure + self.gamma * images).to(images)
            context.progress(iteration + 1, self.iterations)
        return images

    def _over_tiles(
        self, images: Tensor, model: LatentDiffusion, generators: Sequence[torch.Generator]
    ) -> Tensor:
        """The mean of all tiles' purifications at each pixel."""
        height, width = images.shape[-2:]
        sums, counts = torch.zeros_like(images), torch.zeros_like(images[:1, :1])
        for top in starts(height, self.tile):
            for left in starts(width, self.tile):
                place = (..., slice(top, top + self.tile), slice(left, left + self.tile))
                sums[place] += self.redraw(images[place], model, generators)
                counts[place] += 1
        if height > self.tile and width > self.tile:
            half = self.tile // 2
            ends = slice(None, half), slice(-half, None)
            corners = [[images[..., rows, columns] for columns in ends] for rows in ends]
            joined = torch.cat([torch.cat(row, dim=-1) for row in corners], dim=-2)
            pure = self.redraw(joined, model, generators)
            for rows in ends:
                for columns in ends:
                    sums[..., rows, columns] += pure[..., rows, columns]
                    counts[..., rows, columns] += 1
        return sums / counts


def starts(side: int, tile: int) -> list[int]:
    """Where tiles begin along a side: every half tile, the last flush with the end."""
    if side <= tile:
        return [0]
    return [*range(0, side - tile, tile // 2), side - tile]
