"""The figures of a pack's denoiser and inpainter, measured on the saved weights, without training.

Samples are painted under held-out titles by artists of the training set and compared with held-out
paintings: whether classifiers recognise the movement, whether CLIP recognises subject and title,
and how far their CLIP embeddings, as a set, are from those of paintings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from impress_bench.benchmark.atelier import PACK, world
from impress_bench.benchmark.atelier.train.data import PaintedSet, per_movement
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.families.loading import load_pretrained
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.painting import paint
from impress_bench.benchmark.models.style_classifier import (
    SecondStyleClassifier,
    ZeroShotStyleClassifier,
)
from impress_bench.benchmark.models.susceptibility import shift
from impress_bench.benchmark.pixels import to_tensor
from impress_bench.metrics import psnr, squared_mmd
from impress_bench.protections.advdm import AdvDM

#: Sampling steps and guidance of all samples, and the steps of the attack.
STEPS, GUIDANCE, ATTACK_STEPS = 25, 3.0, 40
BATCH = 64
TITLES = 8  # among which a painting's own is to be recognised


def denoiser_figures(job: Job) -> dict[str, Any]:
    """What the card records of the denoiser in `job.pack`.

    - `clip_samples`, `second_samples`: share of samples whose movement each classifier recognises;
      `*_top3`: has among its first three.
    - `motif_*`: share of images for which CLIP ranks "subject, movement" above the other subjects
      of the same movement: of samples, of the paintings whose titles they were given, and of these
      paintings' reconstructions; by chance one over the number of subjects.
    - `title_*`: the same for the full title among eight of the same subject, by chance 1/8.
    - `mmd_*`: `embedding_distance` of the same three to the other half of the held-out paintings;
      `mmd_paintings`, between two halves, is 0 but for chance.
    - `advdm_moves`: how far AdvDM moves latents.
    - `judges`: whose classifiers: "this pack", or "atelier" for a pack that has none.

    Needs vae and denoiser of the pack, whether the encoder is calibrated or not.
    """
    model = load_pretrained(job.pack, str(job.device))
    held_out = job.painted("pretrain", "heldout", 10)
    titled, others = halves(held_out)
    prompts = [f"{t} by {a}" for t, a in zip(titled.titles, titled.artists, strict=True)]
    samples = paint(model, prompts, _seeded(), steps=STEPS, guidance_scale=GUIDANCE).cpu()
    paintings = to_tensor(titled.images)
    with torch.no_grad():
        parts = [model.reconstruct(part.to(job.device)).cpu() for part in paintings.split(BATCH)]
    sets = {
        "samples": samples,
        "paintings": paintings,
        "reconstructions": torch.cat(parts).clamp(0, 1),
    }
    owner = job.pack if has_judges(job.pack) else PACK
    judge = ZeroShotStyleClassifier.from_pack(owner)
    second = SecondStyleClassifier.from_pack(owner)
    figures: dict[str, Any] = {
        "judges": "this pack" if owner == job.pack else "atelier",
        "advdm_moves": _advdm_moves(model, per_movement(held_out, 2), job.device),
    }
    for name, classifier in (("clip", judge), ("second", second)):
        for rank, ending in {1: "", 3: "_top3"}.items():
            share = movement_recognised(classifier, samples, titled.movements, rank)
            figures[f"{name}_samples{ending}"] = share
    texts = partial(_text_embeddings, judge)
    reference = judge.embed(to_tensor(others.images))
    for name, images in sets.items():
        embeddings = judge.embed(images)
        figures[f"motif_{name}"] = motif_recognised(embeddings, titled, texts)
        figures[f"title_{name}"] = title_recognised(embeddings, titled, held_out, texts)
        figures[f"mmd_{name}"] = embedding_distance(embeddings, reference)
    return figures


def inpainter_figures(job: Job) -> dict[str, Any]:
    """What the card records of the inpainting U-Net in `job.pack`.

    Held-out photographs are repainted outside the head under their own titles. PSNR (dB) of the
    kept head, and of the whole to the original whose title was given and to another one (a
    background of the same title comes close).

    Needs vae, denoiser and inpainter of the pack.
    """
    model = load_pretrained(job.pack, str(job.device))
    photographs = job.painted("pretrain", "heldout", 20, ("portrait",), "photography")
    photographs = photographs.select(np.arange(min(64, len(photographs))))
    originals, keep = to_tensor(photographs.images), torch.from_numpy(photographs.masks)
    made = model.repaint(
        originals,
        keep,
        photographs.titles,
        _seeded(),
        steps=STEPS,
        guidance_scale=GUIDANCE,
        eta=0.0,
    ).cpu()
    inside = torch.where(keep[:, None], made, originals)
    area = keep.float().mean((1, 2))
    head = psnr(inside, originals) + 10 * area.log10()  # the error over the head's pixels alone
    return {
        "head_psnr": head.mean().item(),
        "psnr_to_captioned_original": psnr(made, originals).mean().item(),
        "psnr_to_another_original": psnr(made, originals.roll(1, 0)).mean().item(),
    }


def has_judges(pack: Path) -> bool:
    """Whether `pack` has both classifiers."""
    return all((pack / name).is_dir() for name in ("clip", "second_classifier"))


def halves(paintings: PaintedSet) -> tuple[PaintedSet, PaintedSet]:
    """Two disjoint random halves, the same at every call.

    Not balanced by artist and subject: then pairs of one artist and subject would be commoner
    between the halves than within them, and an unbiased MMD would come out below zero.
    """
    order = np.random.default_rng(0).permutation(len(paintings))
    middle = len(paintings) // 2
    return paintings.select(order[:middle]), paintings.select(order[middle:])


def movement_recognised(
    classifier: ZeroShotStyleClassifier | SecondStyleClassifier,
    images: Tensor,
    movements: tuple[str, ...],
    rank: int = 1,
) -> float:
    """Share of `images` (B, 3, H, W) in [0, 1] to which `classifier` gives their movement among its
    first `rank`."""
    labels = torch.tensor([classifier.labels.index(name) for name in movements])
    first = classifier.scores(images).topk(rank, dim=1).indices
    return (first == labels[:, None]).any(1).float().mean().item()


def motif_recognised(
    embeddings: Tensor, paintings: PaintedSet, embed_texts: Callable[[list[str]], Tensor]
) -> float:
    """Share of image `embeddings` (N, D), unit vectors, for which the text of the painting's
    subject comes first among those of all subjects in its own movement.

    The texts differ in the subject alone ("portrait, engraving" against "city, engraving"), so that
    a style painted well does not count. `embed_texts` returns unit embeddings (T, D).
    """
    movements = tuple(dict.fromkeys(paintings.movements))
    texts = embed_texts([f"{s}, {m}" for m in movements for s in world.SUBJECTS])
    texts = texts.unflatten(0, (len(movements), len(world.SUBJECTS)))
    own = texts[torch.tensor([movements.index(name) for name in paintings.movements])]
    ranked_first = torch.einsum("nd,nsd->ns", embeddings, own).argmax(1)
    subjects = torch.tensor([world.SUBJECTS.index(name) for name in paintings.subjects])
    return (ranked_first == subjects).float().mean().item()


def title_recognised(
    embeddings: Tensor,
    paintings: PaintedSet,
    known: PaintedSet,
    embed_texts: Callable[[list[str]], Tensor],
) -> float:
    """Share of image `embeddings` (N, D), unit vectors, for which the painting's own title comes
    first among `TITLES` titles of the same subject, each followed by the painting's movement.

    The other titles are the next ones of that subject in `known`, of which `paintings` is a part.
    Raises ValueError for a subject with fewer titles.
    """
    titles_of: dict[str, dict[str, int]] = {subject: {} for subject in known.subjects}
    for title, subject in zip(known.titles, known.subjects, strict=True):
        titles_of[subject].setdefault(title, len(titles_of[subject]))
    if few := [subject for subject, titles in titles_of.items() if len(titles) < TITLES]:
        raise ValueError(f"fewer than {TITLES} titles to choose from: {', '.join(few)}")
    texts = []
    for i, (title, subject) in enumerate(zip(paintings.titles, paintings.subjects, strict=True)):
        titles, own = list(titles_of[subject]), titles_of[subject][title]
        candidates = [titles[(own + k) % len(titles)] for k in range(TITLES)]
        texts += [f"{candidate}, {paintings.movements[i]}" for candidate in candidates]
    candidates_of = embed_texts(texts).unflatten(0, (len(paintings), TITLES))
    ranked_first = torch.einsum("nd,ncd->nc", embeddings, candidates_of).argmax(1)
    return (ranked_first == 0).float().mean().item()


def embedding_distance(painted: Tensor, reference: Tensor) -> float:
    """Unbiased squared MMD between two sets of unit embeddings (N, D) and (M, D), 0 in expectation
    for sets of one distribution.

    KID's kernel (x . y / D + 1)^3 expects features whose squared norm is about D; so unit vectors
    are scaled to that, which makes the kernel (cosine + 1)^3.
    """
    scale = painted.shape[1] ** 0.5
    return squared_mmd(painted * scale, reference * scale)


def _text_embeddings(judge: ZeroShotStyleClassifier, texts: list[str]) -> Tensor:
    """Unit embeddings (T, D) of texts."""
    return normalize(judge.model.embed_texts(texts), dim=-1)


def _advdm_moves(model: LatentDiffusion, paintings: PaintedSet, device: torch.device) -> float:
    """Mean squared distance by which 40 steps of AdvDM at 16/255 move latents, as a share of their
    squared norm: a protection that ascends the denoiser's loss, unlike an encoder attack."""
    images = to_tensor(paintings.images).to(device)
    attack = AdvDM(linf=16 / 255, step=2 / 255, steps=ATTACK_STEPS)
    attacked = attack(images, Context(generator=_seeded(), model=model, titles=paintings.titles))
    return shift(model.encode, images, attacked.images).mean().item()


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
