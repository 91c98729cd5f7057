"""Recipe of the two style classifiers: an open_clip model on image-title pairs, and a ResNet.

They judge samples, which carry the decoder's blur; so both learn from VAE reconstructions
(with noisy latents), noise, JPEG and resizing beside crisp paintings. Victims are not in the data.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import open_clip
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate
from transformers import CLIPTokenizer, ResNetConfig, ResNetForImageClassification

from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.atelier.train.data import PaintedSet, jpeg
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import Schedule, batches, load_ema, train
from impress_bench.benchmark.atelier.train.recipes.vae import to_model_range
from impress_bench.benchmark.atelier.train.tokens import MAX_LENGTH
from impress_bench.benchmark.models.style_classifier import (
    SecondStyleClassifier,
    ZeroShotStyleClassifier,
)

BATCH = 96
CLIP = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 24, "patch_size": None},
    "text_cfg": {"context_length": MAX_LENGTH, "width": 128, "heads": 4, "layers": 2},
}


def train_clip(job: Job) -> dict[str, Any]:
    """Train both, write `pack`/{clip,second_classifier}, return the held-out figures."""
    pack = job.pack
    torch.manual_seed(job.sizes.seed)
    vae = AutoencoderKL.from_pretrained(pack / "vae").eval().requires_grad_(False).to(job.device)
    paintings = job.painted("pretrain", "pretrain", 400)
    views, others = (Views(vae, paintings, step=2, start=start) for start in (0, 1))
    hours = _train_open_clip(views, job) + _train_second(others, job)
    if not (pack / "labels.json").exists():
        shutil.copy(PACK / "labels.json", pack)
    groups = {
        "held_out": job.painted("pretrain", "heldout", 10),
        "victims": job.painted("victim", "finetune", 25),
    }
    classifiers: dict[str, ZeroShotStyleClassifier | SecondStyleClassifier] = {
        "clip": ZeroShotStyleClassifier.from_pack(pack),
        "second": SecondStyleClassifier.from_pack(pack),
    }
    figures: dict[str, Any] = {"hours": hours, "steps": job.steps}
    for name, classifier in classifiers.items():
        for group, works in groups.items():
            figures |= evaluate(classifier, vae, works, f"{name}_{group}")
    return figures


class Views:
    """Every `step`-th painting from `start` on, crisp and reconstructed by the VAE, under the kinds
    of damage that a judged image may have."""

    def __init__(
        self, vae: AutoencoderKL, paintings: PaintedSet, step: int, start: int = 0
    ) -> None:
        self.paintings = paintings.select(np.arange(start, len(paintings), step))
        self.reconstructed = _reconstructed(vae, self.paintings.images)

    def draw(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Images (B, 3, 64, 64) in [-1, 1] on the CPU: a third crisp, the rest reconstructed; one
        half of each is noised, compressed or halved."""
        index_ = index.numpy()
        crisp = torch.rand(len(index), generator=generator) < 1 / 3
        images = np.where(
            crisp.numpy()[:, None, None, None],
            self.paintings.images[index_],
            self.reconstructed[index_],
        )
        kind = torch.randint(6, (len(index),), generator=generator)
        for i in (kind == 0).nonzero().flatten().tolist():
            quality = int(torch.randint(10, 60, (1,), generator=generator))
            images[i] = jpeg(images[i], quality)
        values = to_model_range(images)
        noise = torch.randn(values.shape, generator=generator)
        strength = torch.rand(len(index), 1, 1, 1, generator=generator) * 0.4
        values = values + noise * strength * (kind == 1)[:, None, None, None]
        halved = interpolate(interpolate(values, 32, mode="area"), 64, mode="bilinear")
        return torch.where((kind == 2)[:, None, None, None], halved, values).clamp(-1, 1)


def _train_open_clip(views: Views, job: Job) -> float:
    """Contrastive training (Radford et al. 2021); equal captions in a batch all match. Returns
    hours."""
    pack, device = job.pack, job.device
    tokenizer = CLIPTokenizer.from_pretrained(pack / "tokenizer")
    config = json.loads(json.dumps(CLIP))
    config["text_cfg"]["vocab_size"] = len(tokenizer)
    (pack / "clip").mkdir(parents=True, exist_ok=True)
    (pack / "clip" / "atelier-clip.json").write_text(json.dumps(config, indent=2))
    open_clip.add_model_config(pack / "clip" / "atelier-clip.json")
    model = open_clip.create_model("atelier-clip").to(device)
    works = views.paintings
    forms = [
        [f"{a}, {m}" for a, m in zip(part, works.movements, strict=True)]
        for part in (works.titles, works.subjects)
    ]
    known = {text: i for i, text in enumerate(dict.fromkeys(forms[0] + forms[1]))}
    tokens = tokenizer(list(known), padding="max_length", truncation=True, return_tensors="pt")
    captions = torch.tensor([[known[text] for text in form] for form in forms])

    def loss(generator: torch.Generator) -> Tensor:
        index = batches(len(works), BATCH, generator)
        form = torch.randint(2, (BATCH,), generator=generator)
        caption = captions[form, index]
        images = views.draw(index, generator).to(device)
        image, text, scale = model(images, tokens.input_ids[caption].to(device))
        logits = scale * image @ text.T
        matches = (caption[:, None] == caption[None]).float().to(device)
        matches = matches / matches.sum(1, keepdim=True)
        return (cross_entropy(logits, matches) + cross_entropy(logits.T, matches)) / 2

    schedule = Schedule(steps=job.steps, lr=1e-3, ema=0.995)
    outcome = train({"clip": model}, loss, schedule, job.work / "clip", job.digest("vae"))
    load_ema({"clip": model}, outcome.ema)
    _settle_batch_norm(model.visual, views, device)
    state = {name: value.half().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(state, pack / "clip" / "open_clip_model.safetensors")
    return outcome.hours


def _train_second(views: Views, job: Job) -> float:
    """A small ResNet with cross-entropy, on paintings from which the first classifier did not
    learn, in half as many steps. Returns hours."""
    config = ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 96, 128],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        id2label=dict(enumerate(world.MOVEMENTS)),
        label2id={name: i for i, name in enumerate(world.MOVEMENTS)},
    )
    model = ResNetForImageClassification(config).to(job.device)
    labels = torch.tensor([world.MOVEMENTS.index(name) for name in views.paintings.movements])

    def loss(generator: torch.Generator) -> Tensor:
        index = batches(len(labels), BATCH, generator)
        logits = model(views.draw(index, generator).to(job.device)).logits
        return cross_entropy(logits, labels[index].to(job.device), label_smoothing=0.05)

    schedule = Schedule(steps=max(1, job.steps // 2), lr=1e-3, ema=0.995)
    folder = job.work / "second_classifier"
    outcome = train({"second": model}, loss, schedule, folder, job.digest("vae"))
    load_ema({"second": model}, outcome.ema)
    _settle_batch_norm(model, views, job.device)
    model.half().cpu().save_pretrained(job.pack / "second_classifier")
    return outcome.hours


@torch.no_grad()
def _settle_batch_norm(model: torch.nn.Module, views: Views, device: torch.device) -> None:
    """Measure batch-norm statistics for the averaged weights: the training run's are those of
    other weights."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a cumulative mean
    model.train()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        index = batches(len(views.paintings), BATCH, generator)
        model(views.draw(index, generator).to(device))
    model.eval()


@torch.no_grad()
def evaluate(
    classifier: ZeroShotStyleClassifier | SecondStyleClassifier,
    vae: AutoencoderKL,
    paintings: PaintedSet,
    prefix: str,
) -> dict[str, float]:
    """Top-1 on paintings and on their VAE reconstructions."""
    labels = torch.tensor([world.MOVEMENTS.index(name) for name in paintings.movements])
    decoded = _reconstructed(vae, paintings.images, noise=0.0)
    sets = {"paintings": paintings.images, "reconstructions": decoded}
    return {
        f"{prefix}_{name}": (
            classifier.scores(to_model_range(images) / 2 + 0.5).argmax(1) == labels
        )
        .float()
        .mean()
        .item()
        for name, images in sets.items()
    }


@torch.no_grad()
def _reconstructed(vae: AutoencoderKL, images: np.ndarray, noise: float = 0.4) -> np.ndarray:
    """uint8 reconstructions; latents get Gaussian noise of up to `noise` standard deviations, as
    samples of an imperfect denoiser have it."""
    generator, parts = torch.Generator().manual_seed(0), []
    for start in range(0, len(images), 64):
        pixels = to_model_range(images[start : start + 64]).to(vae.device)
        latents = vae.encode(pixels).latent_dist.mean
        strength = noise * torch.rand(len(latents), 1, 1, 1, generator=generator)
        strength = strength / vae.config.scaling_factor
        moves = strength * torch.randn(latents.shape, generator=generator)
        decoded = vae.decode(latents + moves.to(latents)).sample.clamp(-1, 1)
        parts.append(((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(parts)
