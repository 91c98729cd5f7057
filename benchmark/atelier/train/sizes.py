"""The models that the recipes train: how wide, from which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """Sizes of a rectified flow's transformer and of its two text encoders.

    Parameters:
        blocks: Joint blocks, in which latents and prompt attend to each other.
        heads: Attention heads.
        head_width: Channels per head, even.
        texts: Widths of the text encoders, divisible by 4.
    """

    blocks: int
    heads: int
    head_width: int
    texts: tuple[int, int]


@dataclass(frozen=True)
class Sizes:
    """One model's widths, finest level first, and the seed of its weights and batches.

    Widths divide by the groups of their normalisation: 4 in the VAE's first level, 16 in the U-Net.
    A model has either a `unet` or a `flow`. A U-Net predicts `prediction`, as diffusers' schedulers
    name it: "epsilon" or "v_prediction". With `autoencoder_of` the model has no autoencoder of its
    own but that of the model so named.
    """

    seed: int
    vae: tuple[int, int, int]
    unet: tuple[int, int, int] | None = None
    vae_groups: int = 8
    latent_channels: int = 4
    flow: Flow | None = None
    prediction: str = "epsilon"
    autoencoder_of: str | None = None


#: By registered name. The second is what a protection or purifier may hold for the model that it
#: meets: other widths and another seed on the same paintings, so that transfer can be measured.
#: The third is of a generation that compresses less. The sibling is another denoiser behind the
#: first one's autoencoder, as Stable Diffusion 2.1 is behind 1.5's.
MODELS = {
    "atelier": Sizes(seed=0, vae=(16, 32, 64), unet=(64, 96, 128)),
    "atelier-second": Sizes(seed=1, vae=(12, 24, 48), unet=(48, 80, 112), vae_groups=4),
    "atelier-flow": Sizes(
        seed=2,
        vae=(16, 32, 64),
        latent_channels=16,
        flow=Flow(blocks=6, heads=6, head_width=24, texts=(64, 128)),
    ),
    "atelier-sibling": Sizes(
        seed=3,
        vae=(16, 32, 64),
        unet=(48, 80, 112),
        prediction="v_prediction",
        autoencoder_of="atelier",
    ),
}
