"""Stable Diffusion as the hub lays it out, at a sixteenth of its width and of random weights.

Blocks, layers, attention heads, schedules and file names are the published ones; widths and groups
of normalisation are divided by `NARROWER`, sizes of images by `SMALLER`, so 512 px are 64 here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from small_families import BUILT, write_small
from transformers import CLIPTextConfig, CLIPTextModel

from impress_bench.benchmark import load_model
from impress_bench.benchmark.atelier.train.tokens import END, START, build_tokenizer
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion

NARROWER, SMALLER = 16, 8

VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [width // NARROWER for width in (128, 256, 512, 512)],
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32 // NARROWER,
    "scaling_factor": 0.18215,
}
UNET = {
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "block_out_channels": [width // NARROWER for width in (320, 640, 1280, 1280)],
    "layers_per_block": 2,
    "norm_num_groups": 32 // NARROWER,
    "out_channels": 4,
}
#: OpenCLIP's heads of 64 values, a list of numbers of heads in spite of the name.
UNET_2 = {"attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
CLIP_L = {"width": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
OPEN_CLIP_H = {"width": 1024, "num_hidden_layers": 23, "num_attention_heads": 16}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
#: What attention in a VAE was called when Stable Diffusion 1 was published.
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@dataclass(frozen=True)
class Release:
    """What tells one release from another."""

    text: dict[str, int]
    unet: dict[str, object]
    pixels: int = 512
    scheduler: str = "PNDMScheduler"
    predicts: str = "epsilon"
    pipeline: str = "StableDiffusionPipeline"
    pad: str = END
    variant: str = ""
    extras: dict[str, list[str]] = field(default_factory=dict)


#: Beside the rest in folders of version 1; the second is a class that transformers has dropped.
CHECKED = {
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
}
RELEASES = {
    "sd-1.5": Release(CLIP_L, {"attention_head_dim": 8}, extras=CHECKED),
    "sd-2.1-base": Release(OPEN_CLIP_H, UNET_2, pad="!", variant="fp16"),
    "sd-2.1": Release(
        OPEN_CLIP_H, {**UNET_2, "upcast_attention": True}, 768, "DDIMScheduler", "v_prediction",
        pad="!",
    ),
    "sd-inpainting": Release(
        CLIP_L, {"attention_head_dim": 8, "in_channels": 9}, extras=CHECKED,
        pipeline="StableDiffusionInpaintPipeline",
    ),
}  # fmt: skip
KINDS = (*RELEASES, *BUILT)


def write(release: Release, folder: Path, vocabulary: Path) -> None:
    """`release` in diffusers layout."""
    components = {
        "scheduler": ["diffusers", release.scheduler],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    index = {"_class_name": release.pipeline, "_diffusers_version": "0.6.0"}
    write_json(folder / "model_index.json", {**index, **components, **release.extras})
    schedule = {"_class_name": release.scheduler, **SCHEDULE}
    schedule["prediction_type"] = release.predicts
    write_json(folder / "scheduler" / "scheduler_config.json", schedule)
    words = write_tokenizer(folder / "tokenizer", vocabulary, release.pad)
    text, vae, unet = networks(release, words)
    text.config.save_pretrained(folder / "text_encoder")
    weights = {f"text_model.{name}": value for name, value in text.state_dict().items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write_weights(folder / "text_encoder", "model", weights, release.variant)
    for name, network in {"vae": vae, "unet": unet}.items():
        network.save_config(folder / name)
        weights = network.state_dict()
        if name == "vae" and release.text is CLIP_L:
            weights = {old_name(key): value for key, value in weights.items()}
        write_weights(folder / name, "diffusion_pytorch_model", weights, release.variant)


def networks(
    release: Release, words: int
) -> tuple[CLIPTextModel, AutoencoderKL, UNet2DConditionModel]:
    """The release's networks, the same at every call."""
    sizes = {**release.text}
    width, side = sizes.pop("width") // NARROWER, release.pixels // SMALLER
    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, max_position_embeddings=77,
        vocab_size=words, bos_token_id=0, eos_token_id=2, pad_token_id=1,
        hidden_act="quick_gelu" if release.text is CLIP_L else "gelu", **sizes,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        text = CLIPTextModel(config)
        vae = AutoencoderKL(**VAE, sample_size=side)
        unet = UNet2DConditionModel(
            **{**UNET, **release.unet}, cross_attention_dim=width, sample_size=side // 8
        )
    return text, vae, unet


def write_tokenizer(folder: Path, vocabulary: Path, pad: str) -> int:
    """Words and merges as they are in the folders of both versions; how many tokens there are."""
    folder.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(vocabulary / name, folder)
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", {**settings, **special})
    return len(json.loads((folder / "vocab.json").read_text()))


def write_weights(folder: Path, stem: str, weights: dict[str, torch.Tensor], variant: str) -> None:
    name = f"{stem}.{variant}.safetensors" if variant else f"{stem}.safetensors"
    if variant == "fp16":
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    save_file(weights, folder / name, metadata={"format": "pt"})


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def old_name(key: str) -> str:
    for new, old in OLD_NAMES.items():
        key = key.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
    return key


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small CLIP vocabulary."""
    folder = tmp_path_factory.mktemp("vocabulary")
    build_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory, vocabulary: Path) -> Callable[[str], Path]:
    """`folder_of(name)`: a release in diffusers layout, written once."""
    root = tmp_path_factory.mktemp("releases")

    def made(name: str) -> Path:
        if not (root / name).is_dir():
            if name in BUILT:
                write_small(name, root / name)
            else:
                write(RELEASES[name], root / name, vocabulary)
        return root / name

    return made


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """The name of each release."""
    return request.param


@pytest.fixture(scope="session")
def model(release: str, folder_of: Callable[[str], Path]) -> LatentDiffusion:
    """Each release, loaded as a user loads it."""
    return load_model(str(folder_of(release)))


@pytest.fixture(scope="session")
def kinds() -> tuple[str, ...]:
    """The names of all releases and other families."""
    return KINDS


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each release and of each other family."""
    return request.param


@pytest.fixture(scope="session")
def any_model(kind: str, folder_of: Callable[[str], Path]) -> LatentDiffusion:
    """Each of them, loaded as a user loads it."""
    return load_model(str(folder_of(kind)))


@pytest.fixture(scope="session")
def rebuilt(release: str, model: LatentDiffusion) -> tuple[torch.nn.Module, ...]:
    """Text encoder, VAE and U-Net of each release as they were before they were written."""
    return networks(RELEASES[release], model.pipeline.text_encoder.config.vocab_size)
