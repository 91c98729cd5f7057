"""Fixtures of tasks and data sets alike."""

from __future__ import annotations

import json

import pytest
import torch


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory):
    """A CLIP of open_clip's making with weights from a seed, in its folder layout."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
    config = {"model_cfg": {"embed_dim": 16, "text_cfg": text, "vision_cfg": vision},
              "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}}  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.CLIP(
        embed_dim=16,
        vision_cfg=open_clip.CLIPVisionCfg(**vision),
        text_cfg=open_clip.CLIPTextCfg(**text),
    )
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder
