"""The atelier's CLIPTokenizer: byte-pair merges learned from its titles, names and movements."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTokenizer

from impress_bench.benchmark.atelier import world

MAX_LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"
FUNCTION_WORDS = ("by", "style", "painting", "in", "the", "of", "a", "an", ",")


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write `folder` and return its tokenizer.

    Known words become one token each; a name nobody has seen falls into several pieces, as a new
    artist's does in Stable Diffusion. Letters alone cover any text, so nothing is unknown.
    """
    words = [*world.vocabulary(), *world.SUBJECTS, *world.MOVEMENTS, *FUNCTION_WORDS]
    words += [artist.name.lower() for artist in world.artists("pretrain")]
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    letters = [chr(code) for code in range(33, 127)]
    endings = [letter + "</w>" for letter in letters]
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=1,
        end_of_word_suffix="</w>",
        show_progress=False,
        # Ties between merges fall by id, and endings would get theirs in an order that varies.
        special_tokens=endings,
    )
    tokenizer.train_from_iterator(sorted(set(words)), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in merges]
    symbols = [*letters, *endings]
    symbols += [merge.replace(" ", "") for merge in merges]
    vocabulary = [*dict.fromkeys(symbols), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    clip = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=MAX_LENGTH
    )
    clip.save_pretrained(folder)
    return clip


def text_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    """Of a text encoder of three layers on this vocabulary; `width` is divisible by 4."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
