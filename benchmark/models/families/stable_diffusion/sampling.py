"""How Stable Diffusion paints, redraws and inpaints: by diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from impress_bench.benchmark.models.conditioning import Conditioning
from impress_bench.benchmark.models.families.pipeline_model import TEXT, PipelineModel
from impress_bench.benchmark.models.families.pipelines import rebuilt
from impress_bench.benchmark.models.families.stable_diffusion.objective import DdimSampler
from impress_bench.benchmark.seeds import Generators, randn_per_image

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, UNet2DConditionModel


class PipelineSampling(PipelineModel):
    """A model whose pictures are painted by a pipeline and its relatives."""

    #: The pipeline that redraws images.
    REDRAWS: ClassVar[str] = "StableDiffusionImg2ImgPipeline"

    inpainting_unet: UNet2DConditionModel | None

    def ddim(self, timestep_spacing: str = "") -> DDIMScheduler:
        """A DDIM sampler of one's own on the model's noise schedule."""
        from diffusers import DDIMScheduler

        # Other samplers' settings do not say it, and DDIM's default clips latents as if pixels.
        settings = {"timestep_spacing": timestep_spacing} if timestep_spacing else {}
        config = self.pipeline.scheduler.config
        return DDIMScheduler.from_config(config, clip_sample=False, **settings)

    def sampler(self, steps: int, start: float | None = None) -> DdimSampler:
        """DDIM. From `start` on it takes the last steps of a schedule of even ones that begins
        nearest to it."""
        if start is None:
            scheduler, count = self.ddim(), steps
        else:
            scheduler = self.ddim("trailing")
            count = max(steps, round(scheduler.config.num_train_timesteps * steps / (start + 1)))
        scheduler.set_timesteps(count, device=self.device)
        return DdimSampler(scheduler, scheduler.timesteps[count - steps :])

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
        timestep_spacing: str = "",
    ) -> Tensor:
        """By DDIM whatever sampler the folder names: multistep ones (PNDM) count on beginning at
        the start. `timestep_spacing` is DDIM's, "" for the folder's or diffusers' default."""
        import diffusers

        kind = getattr(diffusers, self.REDRAWS)
        pipeline = rebuilt(self.pipeline, kind, scheduler=self.ddim(timestep_spacing))
        return self.made_of(
            images,
            pipeline,
            generator,
            **self.told(prompts, guidance_scale > 1),
            strength=strength,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
        )

    def redraw(self, images: Tensor, *, taken: int, steps: int, generator: Generators) -> Tensor:
        """With T training timesteps, the noise is that of timestep t* - 1, counted from 0, where t*
        is `taken` T / `steps`; the DDIM steps then begin there ("trailing" spacing). DDIM's
        "leading" spacing would begin T / `steps` lower."""
        return self.img2img(
            images,
            [""] * len(images),
            strength=min(1.0, (taken + 0.5) / steps),  # diffusers truncates their product
            steps=steps,
            guidance_scale=1.0,
            generator=generator,
            timestep_spacing="trailing",
        )

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
        """`sampler` is the "model"'s own, or "dpm-solver++" on its schedule, which the IMPRESS
        paper samples with."""
        side = self.pipeline.unet.config.sample_size
        shape = (len(generators), self.latent_channels, side, side)
        like = torch.empty(shape, device=self.device, dtype=self.dtype)
        return self.sampling_with(sampler)(
            list(prompts),
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=list(generators),
            # Given, since the pipeline would draw as many channels as an inpainting U-Net has.
            latents=randn_per_image(generators, like),
            output_type="pt",
        ).images

    def sampling_with(self, sampler: str) -> Any:
        """The pipeline with that sampler. Raises ValueError for one that is not known."""
        if sampler == "model":
            return self.pipeline
        if sampler != "dpm-solver++":
            raise ValueError(f"unknown sampler {sampler!r}; known: model, dpm-solver++")
        from diffusers import DPMSolverMultistepScheduler

        scheduler = DPMSolverMultistepScheduler.from_config(self.pipeline.scheduler.config)
        return rebuilt(self.pipeline, scheduler=scheduler)

    @property
    def inpainter(self) -> UNet2DConditionModel | None:
        """The U-Net of 9 input channels, noisy latents, mask and the latents of the masked image:
        the model's own where that has as many, or the one beside it, if there is one."""
        for unet in (self.pipeline.unet, self.inpainting_unet):
            if unet is not None and unet.config.in_channels == 9:
                return unet
        return None

    @property
    def inpainting_problem(self) -> str:
        if self.inpainter is not None:
            return ""
        return (
            "the model has no inpainting U-Net (9 input channels); name an inpainting model, or put"
            " one into the folder inpainting/unet beside the model's unet"
        )

    @property
    def inpainter_projections(self) -> Sequence[str]:
        """Self-attention is the first of each block, cross-attention the second."""
        wanted = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn2.to_q")
        layers = self._required_inpainter().named_modules()
        return [name for name, _ in layers if name.endswith(wanted)]

    def predict_inpainting(
        self,
        noisy: Tensor,
        levels: Tensor,
        conditioning: Conditioning,
        mask: Tensor,
        masked: Tensor,
    ) -> Tensor:
        joined, text = torch.cat([noisy, mask, masked], dim=1), conditioning.tensors[TEXT]
        return self._required_inpainter()(joined, levels, encoder_hidden_states=text).sample

    @torch.no_grad()
    def repaint(
        self,
        images: Tensor,
        keep: Tensor,
        prompts: Sequence[str],
        generator: Generators,
        *,
        steps: int,
        guidance_scale: float,
        eta: float,
    ) -> Tensor:
        """By DDIM."""
        from diffusers import StableDiffusionInpaintPipeline

        pipeline = rebuilt(
            self.pipeline,
            StableDiffusionInpaintPipeline,
            unet=self._required_inpainter(),
            scheduler=self.ddim(),
        )
        return self.made_of(
            images,
            pipeline,
            generator,
            prompt=list(prompts),
            mask_image=1 - keep[:, None].to(self.device, self.dtype),
            height=images.shape[-2],
            width=images.shape[-1],
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            eta=eta,
        )

    def _required_inpainter(self) -> UNet2DConditionModel:
        if (unet := self.inpainter) is None:
            raise ValueError(self.inpainting_problem)
        return unet
