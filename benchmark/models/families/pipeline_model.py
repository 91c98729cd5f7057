"""What models made of a diffusers pipeline share: a KL autoencoder, one denoiser, tokenizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.numerics import PLAIN, Numerics, compute
from impress_bench.benchmark.models.posterior import Posterior
from impress_bench.benchmark.seeds import Generators, as_generators

Self = TypeVar("Self", bound="PipelineModel")

#: Names in the conditioning: tokens' embeddings, and what an encoder makes of a prompt as a whole.
TEXT, POOLED = "text", "pooled"
#: What pipelines call these.
ARGUMENTS = {TEXT: "prompt_embeds", POOLED: "pooled_prompt_embeds"}


@dataclass(frozen=True)
class PipelineModel(LatentDiffusion):
    """A diffusers pipeline as a `LatentDiffusion`, all but what is a family's own.

    `pipeline` holds networks, tokenizers and scheduler, frozen and in evaluation mode. `digest`
    identifies the weights: results are stored under it. `numerics` is how its networks compute.
    `PART` is what the pipeline calls its denoiser.
    """

    PART: ClassVar[str] = "unet"

    pipeline: Any
    digest: str
    numerics: Numerics = PLAIN

    def to(self, device: str) -> None:
        self.pipeline.to(device)

    def with_numerics(self: Self, numerics: Numerics) -> Self:
        """Changes its networks; on a GPU their weights become channels last, which convolutions
        there are fastest with."""
        vae, denoisers = self.pipeline.vae, self.networks()["unet"]
        for network in (vae.encoder, vae.decoder):
            compute(network, "float32", numerics.compiled)
        for network in denoisers:
            compute(network, numerics.precision, numerics.compiled)
        if self.device.type == "cuda":
            for network in (vae, *denoisers):
                network.to(memory_format=torch.channels_last)
        return replace(self, numerics=numerics)

    def networks(self) -> Mapping[str, Sequence[nn.Module]]:
        vae = self.pipeline.vae
        return {"encoder": (vae.encoder,), "decoder": (vae.decoder,), "unet": (self.denoiser,)}

    @property
    def autoencoder(self) -> nn.Module:
        return self.pipeline.vae

    @property
    def device(self) -> torch.device:
        return self.pipeline.vae.device

    @property
    def dtype(self) -> torch.dtype:
        return self.pipeline.vae.dtype

    @property
    def latent_channels(self) -> int:
        return int(self.pipeline.vae.config.latent_channels)

    @property
    def downsampling(self) -> int:
        return int(self.pipeline.vae_scale_factor)

    @property
    def latent_scale(self) -> float:
        return float(self.pipeline.vae.config.scaling_factor)

    @property
    def latent_shift(self) -> float:
        return float(self.pipeline.vae.config.get("shift_factor") or 0.0)

    def posterior(self, images: Tensor) -> Posterior:
        pixels = 2 * images.to(self.device, self.dtype) - 1
        found = self.checkpointed(self.pipeline.vae.encode, pixels).latent_dist
        return Posterior(found.mean, found.std)

    def decode(self, latents: Tensor) -> Tensor:
        return self.checkpointed(self.pipeline.vae.decode, latents).sample / 2 + 0.5

    @property
    def denoiser(self) -> nn.Module:
        network: nn.Module = getattr(self.pipeline, self.PART)
        return network

    def with_denoiser(self: Self, denoiser: nn.Module) -> Self:
        changed: dict[str, Any] = {self.PART: denoiser}
        return replace(self, pipeline=rebuilt(self.pipeline, **changed))

    def made_of(
        self, images: Tensor, pipeline: Any, generator: Generators, **settings: Any
    ) -> Tensor:
        """What a pipeline of this model makes of `images`, clamped, in their precision. Image i has
        noise of its own derived from `generator`; `settings` are the pipeline's arguments."""
        made: Tensor = pipeline(
            image=images.to(self.device, self.dtype),
            generator=as_generators(generator, len(images)),
            output_type="pt",
            **settings,
        ).images
        return made.to(images.dtype).clamp(0, 1)

    def told(self, prompts: Sequence[str], guided: bool) -> dict[str, Tensor]:
        """What a pipeline is told of the prompts and, if it is guided, of the empty prompt that it
        is guided away from."""
        found = self.embed(prompts).tensors
        arguments = {ARGUMENTS[name]: tensor for name, tensor in found.items()}
        if guided:
            empty = self.embed([""] * len(prompts)).tensors
            arguments |= {f"negative_{ARGUMENTS[name]}": each for name, each in empty.items()}
        return arguments

    def tokenize(self, word: str) -> Sequence[str]:
        """By the first tokenizer."""
        pieces: Sequence[str] = self.pipeline.tokenizer.tokenize(word)
        return pieces


def per_prompt(prompts: Sequence[str], encoded: Mapping[str, Tensor]) -> Conditioning:
    """Conditioning with one row per prompt, from tensors with one row per different prompt, in the
    order in which these first occur."""
    rows = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
    index = [rows[prompt] for prompt in prompts]
    return Conditioning({name: tensor[index] for name, tensor in encoded.items()})
