"""Every family beside Stable Diffusion 1 and 2, of random weights and a few channels, in folders.

Architectures are the published ones at about the sizes of diffusers' own tests; images have 64 px,
autoencoders 8 px per latent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from impress_bench.benchmark.atelier import PACK

SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1
}  # fmt: skip
WIDTH = 32


def vae(**settings: Any) -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[8, 16, 16, 16],
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        **settings,
    )


def unet(**settings: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=8,
        **settings,
    )


def clip(kind: type[Any] = CLIPTextModel) -> tuple[Any, CLIPTokenizer]:
    tokenizer = CLIPTokenizer.from_pretrained(PACK / "tokenizer", model_max_length=77)
    config = CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        projection_dim=WIDTH, vocab_size=len(tokenizer), max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return kind(config), tokenizer


def t5(width: int) -> tuple[T5EncoderModel, T5Tokenizer]:
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters = [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = T5Tokenizer(vocab=[*words, *letters], extra_ids=0)
    config = T5Config(
        vocab_size=len(words) + len(letters), d_model=width, d_ff=37, d_kv=8, num_layers=1,
        num_heads=4,
    )  # fmt: skip
    return T5EncoderModel(config), tokenizer


def sdxl() -> DiffusionPipeline:
    one, two = clip(), clip(CLIPTextModelWithProjection)
    return StableDiffusionXLPipeline(
        vae=vae(latent_channels=4, scaling_factor=0.13025),
        unet=unet(
            cross_attention_dim=2 * WIDTH,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        ),
        text_encoder=one[0],
        tokenizer=one[1],
        text_encoder_2=two[0],
        tokenizer_2=two[1],
        scheduler=EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="leading"),
    )


def sd35() -> DiffusionPipeline:
    one, two = clip(CLIPTextModelWithProjection), clip(CLIPTextModelWithProjection)
    three = t5(2 * WIDTH)
    return StableDiffusion3Pipeline(
        vae=vae(latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609),
        transformer=SD3Transformer2DModel(
            sample_size=8, patch_size=2, in_channels=16, out_channels=16, num_layers=2,
            attention_head_dim=8, num_attention_heads=4, joint_attention_dim=2 * WIDTH,
            caption_projection_dim=32, pooled_projection_dim=2 * WIDTH, pos_embed_max_size=16,
            qk_norm="rms_norm", dual_attention_layers=(0,),
        ),
        text_encoder=one[0],
        tokenizer=one[1],
        text_encoder_2=two[0],
        tokenizer_2=two[1],
        text_encoder_3=three[0],
        tokenizer_3=three[1],
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


def flux() -> DiffusionPipeline:
    one, two = clip(), t5(WIDTH)
    return FluxPipeline(
        vae=vae(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=1,
            attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
        ),
        text_encoder=one[0],
        tokenizer=one[1],
        text_encoder_2=two[0],
        tokenizer_2=two[1],
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )  # fmt: skip


def instruct_pix2pix() -> DiffusionPipeline:
    text, tokenizer = clip()
    return StableDiffusionInstructPix2PixPipeline(
        vae=vae(latent_channels=4, scaling_factor=0.18215),
        unet=unet(in_channels=8, cross_attention_dim=WIDTH, attention_head_dim=4),
        text_encoder=text,
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


BUILT: dict[str, Callable[[], DiffusionPipeline]] = {
    "sdxl": sdxl, "sd-3.5": sd35, "flux": flux, "instruct-pix2pix": instruct_pix2pix
}  # fmt: skip


def write_small(name: str, folder: Path) -> None:
    """A family in diffusers layout, of the same weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BUILT[name]().save_pretrained(folder)
