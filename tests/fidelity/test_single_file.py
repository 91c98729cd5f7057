"""Stable Diffusion in one safetensors file, under the names of the original release."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from impress_bench.benchmark import load_model
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.models import model_digest
from impress_bench.benchmark.harness.plugins.registry import Registry

#: Diffusers' names and the original ones, as in its convert_diffusers_to_original_stable_diffusion.
UNET = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
VAE = {
    "mid_block.attentions.0": "mid.attn_1", "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2", "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out", "downsamplers.0": "downsample", "upsamplers.0": "upsample",
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip


def renamed(name: str, names: dict[str, str]) -> str:
    for new, old in names.items():
        name = re.sub(rf"(?<![\w.]){re.escape(new)}(?=\.)|(?<=\.){re.escape(new)}(?=\.)", old, name)
    return name


def unet_name(name: str) -> str:
    if "resnets" in name:
        name = renamed(name, RESNET)
    elif "blocks" not in name and not name.startswith("mid_block"):
        name = renamed(name, UNET)
    places = (
        (r"down_blocks\.(\d)\.resnets\.(\d)", lambda i, j: f"input_blocks.{3 * i + j + 1}.0"),
        (r"down_blocks\.(\d)\.attentions\.(\d)", lambda i, j: f"input_blocks.{3 * i + j + 1}.1"),
        (r"down_blocks\.(\d)\.downsamplers\.(\d)\.conv",
         lambda i, j: f"input_blocks.{3 * i + 3}.0.op"),
        (r"up_blocks\.(\d)\.resnets\.(\d)", lambda i, j: f"output_blocks.{3 * i + j}.0"),
        (r"up_blocks\.(\d)\.attentions\.(\d)", lambda i, j: f"output_blocks.{3 * i + j}.1"),
        (r"up_blocks\.(\d)\.upsamplers\.(\d)",
         lambda i, j: f"output_blocks.{3 * i + 2}.{2 if i else 1}"),
        (r"(mid_block)\.resnets\.(\d)", lambda _, j: f"middle_block.{2 * j}"),
        (r"(mid_block)\.attentions\.(\d)", lambda _, j: "middle_block.1"),
    )  # fmt: skip
    for pattern, place in places:
        if found := re.match(pattern, name):
            i, j = found.groups()
            return place(int(i) if i.isdigit() else 0, int(j)) + name[found.end() :]
    return name


def vae_name(name: str) -> str:
    name = re.sub(r"up_blocks\.(\d)\.", lambda found: f"up.{3 - int(found[1])}.", name)
    name = re.sub(r"down_blocks\.(\d)\.", r"down.\1.", name)
    return re.sub(r"(?<=\d)\.resnets\.", ".block.", renamed(name, VAE))


def original(pipeline) -> dict[str, torch.Tensor]:
    """All weights of a pipeline under their original names."""
    weights = {}
    for name, value in pipeline.unet.state_dict().items():
        weights[f"model.diffusion_model.{unet_name(name)}"] = value
    for name, value in pipeline.vae.state_dict().items():
        linear = "attentions" in name and value.ndim == 2
        weights[f"first_stage_model.{vae_name(name)}"] = value[..., None, None] if linear else value
    for name, value in pipeline.text_encoder.state_dict().items():
        inside = name.removeprefix("text_model.")
        weights[f"cond_stage_model.transformer.text_model.{inside}"] = value
    return {name: value.contiguous() for name, value in weights.items()}


@pytest.fixture
def single(folder_of, tmp_path) -> tuple[Path, Path]:
    """A checkpoint with the settings and the tokenizer of its release beside it, and the release
    as a folder."""
    release = folder_of("sd-1.5")
    shutil.copytree(release, tmp_path / "mine", ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(original(load_model(str(release)).pipeline), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors", release


def test_a_single_file_is_what_the_folder_is(single):
    path, release = single
    loaded, expected = (load_model(str(source)).pipeline for source in (path, release))
    for part in ("unet", "vae", "text_encoder"):
        weights = getattr(loaded, part).state_dict()
        for name, value in getattr(expected, part).state_dict().items():
            torch.testing.assert_close(weights[name], value, rtol=0, atol=0)
    assert loaded.safety_checker is None


def test_its_digest_is_of_all_that_is_read(single):
    path, _ = single
    before = model_digest(Registry(), str(path))
    settings = path.with_suffix("") / "unet" / "config.json"
    settings.write_text(settings.read_text() + "\n")
    assert model_digest(Registry(), str(path)) != before


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"conditioner.embedders.0.x": torch.zeros(1)}, "is Stable Diffusion XL"),
        ({"lora_unet.x": torch.zeros(1)}, "holds no whole Stable Diffusion"),
        (
            {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(4, 8, 3, 3)},
            "8 input channels",
        ),
    ],
)
def test_other_files_are_refused_when_named(tmp_path, weights, told):
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=told):
        model_digest(Registry(), str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0[]", b"\0" * 8])
def test_broken_files_are_refused(tmp_path, content):
    (tmp_path / "broken.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match="no safetensors file that can be read"):
        model_digest(Registry(), str(tmp_path / "broken.safetensors"))
