"""Titles for works that have none, by an image captioner of `transformers`.

The paper's released code captions with ViT-GPT2 and drops the words "a painting of" (Appendix B).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.models.hub import HubId, missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: A hub id; a folder with safetensors weights stands in its place.
CAPTIONER = "nlpconnect/vit-gpt2-image-captioning"
BATCH = 8
#: Every caption of a painting begins so; what follows is what it shows.
MEDIUM = "a painting of "


def problem(captioner: str) -> str:
    """Why `captioner` cannot be used, and how to get it; empty if it is there. Loads nothing."""
    told = missing(captioner)
    return f"the captioner {captioner}: {told}" if told else ""


def caption(images: Sequence[NDArray[np.uint8]], captioner: str = CAPTIONER) -> list[str]:
    """A title for each of `images`, uint8 (H, W, 3), by greedy decoding. Nothing is fetched.

    Raises PluginError where the captioner cannot be loaded or finds nothing to say.
    """
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

    plugin = f"captioner {captioner}"
    if told := problem(captioner):
        raise PluginError(plugin, told)
    hub = HubId.parse(captioner)
    there = {"revision": hub.revision or "main", "local_files_only": True}
    try:
        model = VisionEncoderDecoderModel.from_pretrained(hub.name, use_safetensors=True, **there)
        processor = AutoImageProcessor.from_pretrained(hub.name, **there)
        tokenizer = AutoTokenizer.from_pretrained(hub.name, **there)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise PluginError(plugin, f"could not be loaded ({first})") from error
    titles: list[str] = []
    for start in range(0, len(images), BATCH):
        shown = processor(list(images[start : start + BATCH]), return_tensors="pt").pixel_values
        with torch.no_grad():
            tokens = model.eval().generate(shown, max_new_tokens=16, num_beams=1, do_sample=False)
        titles += tokenizer.batch_decode(tokens, skip_special_tokens=True)
    titles = [title.strip().removeprefix(MEDIUM) for title in titles]
    if not all(titles):
        raise PluginError(plugin, "finds no words for a work; give it a title")
    return titles
