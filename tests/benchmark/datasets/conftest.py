"""Folders as users have them, filled with the atelier's works."""

from __future__ import annotations

import json

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
