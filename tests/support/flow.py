"""A second family of models, as unlike Stable Diffusion as the interface permits.

A rectified flow (Liu et al. 2023) as Stable Diffusion 3 has it: x_s = (1 - s) x + s noise, and the
denoiser learns noise - x. Latents have 16 channels, a shift, and two pixels per side; prompts are
two tensors, of which one has no length; levels are times in [0, 1]. Weights are random and tiny.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.numerics import PLAIN, Numerics
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.seeds import Generators, as_generators, randn_per_image

CHANNELS, WIDTH = 16, 4
CPU = torch.device("cpu")


class Autoencoder(nn.Module):
    """Convolutions between images and latents of half their sides."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 2 * CHANNELS, 2, stride=2)
        self.decoder = nn.ConvTranspose2d(CHANNELS, 3, 2, stride=2)


class Denoiser(nn.Module):
    """One hidden layer, told the time and the prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Conv2d(CHANNELS + 1, 8, 3, padding=1)
        self.reads = nn.Linear(WIDTH, 8)
        self.out = nn.Conv2d(8, CHANNELS, 3, padding=1)

    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor, pooled: Tensor) -> Tensor:
        time = times[:, None, None, None].expand(-1, 1, *noisy.shape[2:]).to(noisy)
        prompt = self.reads(tokens.mean(dim=1) + pooled)[:, :, None, None]
        return self.out(torch.tanh(self.into(torch.cat([noisy, time], dim=1)) + prompt))


@dataclass(frozen=True)
class Euler:
    """Steps along the flow to the next of `levels`, the last to 0."""

    levels: Tensor

    def step(self, predicted, level, noisy, eta=0.0, noise=None):
        later = self.levels[self.levels < level]
        return noisy + ((later.max() if len(later) else 0.0) - level) * predicted


def networks() -> tuple[Autoencoder, Denoiser]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = Autoencoder(), Denoiser()
    return tuple(part.requires_grad_(False).eval() for part in parts)


@dataclass(frozen=True)
class Flow(LatentDiffusion):
    """The flow, on the CPU."""

    vae: Autoencoder = field(default_factory=lambda: networks()[0])
    net: Denoiser = field(default_factory=lambda: networks()[1])
    digest: str = "flow"
    numerics: Numerics = PLAIN
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    latent_channels: int = CHANNELS
    downsampling: int = 2
    latent_scale: float = 1.5305
    latent_shift: float = 0.0609
    image_size: int = 16
    lora_targets: tuple[str, ...] = ("into", "out")

    @property
    def autoencoder(self) -> Autoencoder:
        return self.vae

    @property
    def denoiser(self) -> Denoiser:
        return self.net

    def to(self, device: str) -> None:
        assert device == "cpu"

    def with_numerics(self, numerics: Numerics) -> Flow:
        return replace(self, numerics=numerics)

    def networks(self) -> Mapping[str, Sequence[nn.Module]]:
        return {
            "encoder": (self.vae.encoder,), "decoder": (self.vae.decoder,), "unet": (self.net,)
        }  # fmt: skip

    def posterior(self, images: Tensor) -> Posterior:
        mean, spread = self.vae.encoder(2 * images - 1).chunk(2, dim=1)
        return Posterior(mean, 0.01 * spread.abs())

    def decode(self, latents: Tensor) -> Tensor:
        return self.vae.decoder(latents) / 2 + 0.5

    def with_denoiser(self, denoiser: nn.Module) -> Flow:
        return replace(self, net=denoiser)

    def in_attention(self, weight: str) -> bool:
        return weight.startswith("reads")

    def reads_prompt(self, weight: str) -> bool:
        return weight.startswith("reads")

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Tokens (B, 5, WIDTH) and a pooled row (B, WIDTH)."""
        seeds = [torch.Generator().manual_seed(sum(map(ord, prompt))) for prompt in prompts]
        drawn = torch.stack([torch.randn(6, WIDTH, generator=seed) for seed in seeds])
        return Conditioning({"tokens": drawn[:, :5], "pooled": drawn[:, 5]})

    def tokenize(self, word: str) -> Sequence[str]:
        return [word]

    def draw_levels(self, generators: Sequence[torch.Generator]) -> Tensor:
        return torch.cat([torch.randn(1, generator=g) for g in generators]).sigmoid()

    def even_levels(self, count: int) -> Tensor:
        return (torch.arange(count) + 0.5) / count

    def level_of(self, snr: float) -> float:
        return 1 / (1 + snr**0.5)

    def noise(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        share = levels[:, None, None, None]
        return (1 - share) * scaled + share * eps

    def wanted(self, scaled: Tensor, levels: Tensor, eps: Tensor) -> Tensor:
        return eps - scaled

    def predict(self, noisy: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        return self.net(noisy, levels, **conditioning.tensors)

    def sampler(self, steps: int, start: float | None = None) -> Euler:
        return Euler(torch.linspace(1.0 if start is None else start, 0, steps + 1)[:-1])

    @torch.no_grad()
    def img2img(
        self,
        images: Tensor,
        prompts: Sequence[str],
        *,
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: Generators,
    ) -> Tensor:
        generators = as_generators(generator, len(images))
        scaled = self.scale(self.encode(images, True, generators))
        sampler = self.sampler(steps, strength)
        start = sampler.levels[:1].expand(len(images))
        noisy = self.noise(scaled, start, randn_per_image(generators, scaled))
        return self.decode(self.unscale(self._painted(noisy, prompts, sampler))).clamp(0, 1)

    @torch.no_grad()
    def sample(
        self,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        steps: int,
        guidance_scale: float,
        sampler: str = "model",
    ) -> Tensor:
        side = self.image_size // self.downsampling
        noisy = randn_per_image(generators, torch.empty(len(prompts), CHANNELS, side, side))
        return self.decode(self.unscale(self._painted(noisy, prompts, self.sampler(steps))))

    def _painted(self, noisy: Tensor, prompts: Sequence[str], sampler: Euler) -> Tensor:
        conditioning = self.embed(prompts)
        for level in sampler.levels:
            predicted = self.predict(noisy, level.expand(len(noisy)), conditioning)
            noisy = sampler.step(predicted, level, noisy)
        return noisy
