"""PDM-Pure (Xue and Chen 2024): noise and denoising in pixel space, without an autoencoder.

Protections move a latent diffusion model's autoencoder; a diffusion model on pixels hardly reacts
to them. It is SDEdit (Meng et al. 2022) with such a model, at a small level of noise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.contract import Context, PluginError, State, check_range
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import SHIPPED, place_of
from impress_bench.benchmark.seeds import per_image_generators, randn_per_image

if TYPE_CHECKING:
    from impress_bench.benchmark.models.families.pixel_unet import PixelUNet
    from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

#: Of the schedule.
TIMESTEPS = 1000
#: The folder of a pack in which the network lies, and the side in px of the atelier's images.
NETWORK, SIDE = "pixel", 64


class PdmPure(Purifier):
    """Noises an image and denoises it by an unconditional diffusion model on pixels.

    The released code is xavihart/PDM-Pure@002ae37, which calls deep-floyd/IF@07958a4: the noise is
    that of the 5th of 10 timesteps within the first 100 of 1000, on a cosine schedule; all 10 are
    taken back, so that the network is told of more noise than there is; steps are ancestral, with
    predictions clipped to [-1, 1]. It sees the images alone, no surrogate.

    Departures: a small network of the atelier's in the place of IF-II-L, whose weights are behind a
    licence and which this package does not run; no prompt, guidance or low-resolution input; a
    step's variance is the posterior's, where IF learns it; the image's own size, where the release
    resizes to 256 px and lets Stable Diffusion's fourfold upscaler follow, which
    `pdm-pure>noisy-upscaling[std=0]` has.

    Args:
        weights: a folder with the network in diffusers layout, as the recipe `pixel` writes;
            "pack:pixel" comes with the atelier and is skipped beside models of other image sizes.
        steps: timesteps from 0 to `last` at even distances; at least 2.
        last: the noisiest of them; `steps` - 1 to 998, of 1000.
        noised: at which of them the image's noise is; at least 1, at most `steps`.
        denoised: at which of them the steps back begin; at least 1, from `noised` to `steps`.

    Raises:
        ValueError: for a parameter out of range.
    """

    name: ClassVar[str] = "pdm-pure"
    title: ClassVar[str] = "PDM-Pure"
    files: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        weights: str = "pack:pixel",
        steps: int = 10,
        last: int = 99,
        noised: int = 5,
        denoised: int = 10,
    ) -> None:
        check_range(2, steps=steps)
        if not steps - 1 <= last <= TIMESTEPS - 2:
            raise ValueError(f"last must lie in {steps - 1} to {TIMESTEPS - 2}, not {last}")
        if not 1 <= noised <= denoised <= steps:
            raise ValueError(
                "noised must be at least 1 and denoised noised to steps, not"
                f" {noised} and {denoised} of {steps}"
            )
        self.weights = weights
        self.timesteps = [round(last * i / (steps - 1)) for i in range(steps)]
        self.noised, self.denoised = noised, denoised
        self._networks: dict[torch.device, PixelUNet] = {}

    def skip(self, model: LatentDiffusion | None) -> str | None:
        """Where there are no weights, and beside a model of another image size than the atelier's,
        if the weights are the atelier's."""
        if self.weights.startswith(SHIPPED) and model is not None and model.image_size != SIDE:
            return (
                f"{self.weights} denoises the atelier's images, of {SIDE} px, and this model's have"
                f" {model.image_size}; pass {self.name}[weights=FOLDER] with a network for them"
            )
        return pixel_unet.missing(place_of(self.weights), self.name, NETWORK, NETWORK)

    def purify(self, images: Tensor, context: Context) -> Tensor:
        """Images noised and denoised, one at a time: convolutions of a larger batch round
        otherwise."""
        if reason := self.skip(context.model):
            raise PluginError(self.name, reason, State.SKIPPED)
        device = images.device if context.model is None else context.model.device
        if device not in self._networks:
            self._networks[device] = pixel_unet.load(place_of(self.weights), device)
        network = self._networks[device]
        drawn = per_image_generators(context.generator, len(images))
        purified = []
        for index, generator in enumerate(drawn):
            shown = images[index : index + 1].to(device, torch.float32)
            purified.append(self._redrawn(network, shown, generator))
            context.progress(index + 1, len(images))
        return torch.cat(purified).to(images)

    def _redrawn(self, network: PixelUNet, image: Tensor, generator: torch.Generator) -> Tensor:
        """`image` (1, 3, H, W) in [0, 1], noised and denoised."""
        kept = signal(self.timesteps[self.noised - 1])
        noise = randn_per_image([generator], image)
        x = math.sqrt(kept) * (2 * image - 1) + math.sqrt(1 - kept) * noise
        for i in reversed(range(self.denoised)):
            now = signal(self.timesteps[i])
            before = signal(self.timesteps[i - 1]) if i else 1.0
            predicted = pixel_unet.run(network, x, self.timesteps[i])
            clean = ((x - math.sqrt(1 - now) * predicted) / math.sqrt(now)).clamp(-1, 1)
            ratio = now / before
            mean = math.sqrt(before) * (1 - ratio) * clean + math.sqrt(ratio) * (1 - before) * x
            x = mean / (1 - now)
            if i:
                variance = (1 - ratio) * (1 - before) / (1 - now)
                x = x + math.sqrt(variance) * randn_per_image([generator], x)
        return ((x + 1) / 2).clamp(0, 1)


def signal(timestep: int) -> float:
    """The share of the variance that is the image's at a timestep, 0 to 998, of the cosine schedule
    (Nichol and Dhariwal 2021)."""
    share, start = ((((t + 1) / TIMESTEPS + 0.008) / 1.008) for t in (timestep, -1))
    return (math.cos(share * math.pi / 2) / math.cos(start * math.pi / 2)) ** 2
