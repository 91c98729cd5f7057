"""Fixtures of tasks, data sets and the harness: folders as users have them, small models."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from PIL import Image
from transformers import (
    BertTokenizerFast,
    GPT2Config,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

from impress_bench.benchmark.atelier import world
from impress_bench.benchmark.cli import main


@pytest.fixture(autouse=True)
def undurable(monkeypatch):
    """Files need not survive a power failure: to wait for the disk takes a quarter of a run's time
    here."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def in_process(monkeypatch, capsys):
    """The command line in this process: exit code, stdout and stderr."""

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["impress-bench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return called


def save_works(folder, movement, count, titled=True):
    """`count` works of a painter at odd sizes, and what is said of them."""
    folder.mkdir(parents=True)
    entries = []
    for at, work in enumerate(
        world.paintings(world.artists(movement=movement)[0], "heldout", count)
    ):
        picture = Image.fromarray(work.image).resize((90, 70 + at))
        picture.save(folder / f"work {at}.{'jpg' if at % 2 else 'png'}")
        entry = {"file_name": f"work {at}.{'jpg' if at % 2 else 'png'}", "movement": movement}
        entries.append(entry | ({"text": f"{work.title} {at}"} if titled else {}))
    (folder / "metadata.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in entries))


@pytest.fixture
def artworks(tmp_path):
    """Two artists of unlike movements, seven works each."""
    save_works(tmp_path / "artworks" / "ada-mill", "cubism", 7)
    save_works(tmp_path / "artworks" / "Ben Öst", "mosaic", 7)
    return tmp_path / "artworks"


@pytest.fixture
def photos(tmp_path):
    """Two photos, one of which is described."""
    folder = tmp_path / "photos"
    (folder / "masks").mkdir(parents=True)
    for at, photographer in enumerate(world.artists(movement="photography")[:2]):
        work = world.paint(photographer, "portrait", "heldout", 0)
        Image.fromarray(work.image).resize((128, 160)).save(folder / f"p{at}.jpg")
        Image.fromarray(work.head_mask).resize((128, 160)).save(folder / "masks" / f"p{at}.png")
    entry = {"file_name": "p0.jpg", "sitter": "a man with white hair", "place": "in the snow"}
    (folder / "metadata.jsonl").write_text(json.dumps(entry))
    return folder


@pytest.fixture(scope="session")
def captioner(tmp_path_factory):
    """A captioner of ViT and GPT-2 with weights from a seed; what it says means nothing."""
    folder = tmp_path_factory.mktemp("captioner")
    torch.manual_seed(0)
    words = ["[UNK]", "[PAD]", "[BOS]", "[EOS]", "a", "painting", "of", "sea", "sky", "tree"]
    (folder / "vocab").mkdir(parents=True)
    (folder / "vocab" / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(
        str(folder / "vocab" / "vocab.txt"), bos_token="[BOS]", eos_token="[EOS]",
        cls_token="[BOS]", sep_token="[EOS]", mask_token="[UNK]",
    )  # fmt: skip
    vit = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=16,
    )  # fmt: skip
    gpt = GPT2Config(
        vocab_size=len(words), n_embd=16, n_layer=1, n_head=2, n_positions=32,
        bos_token_id=2, eos_token_id=3, add_cross_attention=True, is_decoder=True,
    )  # fmt: skip
    both = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vit, gpt)
    both.decoder_start_token_id, both.pad_token_id, both.eos_token_id = 2, 1, 3
    model = VisionEncoderDecoderModel(both)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 1, 3
    model.generation_config.suppress_tokens = [0, 1, 2, 3]  # words, however they come
    for part in (model, tokenizer, ViTImageProcessor(size={"height": 32, "width": 32})):
        part.save_pretrained(folder)
    return str(folder)


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
