"""The models that the recipes train: how wide, from which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """One model's widths, finest level first, and the seed of its weights and batches.

    Widths divide by the groups of their normalisation: 4 in the VAE's first level, 16 in the U-Net.
    """

    seed: int
    vae: tuple[int, int, int]
    unet: tuple[int, int, int]
    vae_groups: int = 8


#: By registered name. The second is what a protection or purifier may hold for the model that it
#: meets: other widths and another seed on the same paintings, so that transfer can be measured.
MODELS = {
    "atelier": Sizes(seed=0, vae=(16, 32, 64), unet=(64, 96, 128)),
    "atelier-second": Sizes(seed=1, vae=(12, 24, 48), unet=(48, 80, 112), vae_groups=4),
}
