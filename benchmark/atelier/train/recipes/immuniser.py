"""Recipe of the immuniser's network: to lower PhotoGuard's encoder loss in one pass.

After DiffVax (Ozden et al. 2026); what differs is in `protections/immuniser.py`. The loss is the
squared distance of the latents of what an editor keeps to those of grey, PhotoGuard's, as a share
of what it is on the clean photo, so that every photo counts alike. The bound is drawn per image.
No victim, validation or test photo takes part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import Schedule, bfloat16_if_fast, load_ema, train
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import PLUGINS
from impress_bench.benchmark.models.inpainting import masked_out
from impress_bench.benchmark.models.susceptibility import drive, random_signs, share_left
from impress_bench.benchmark.pixels import round_toward, to_tensor
from impress_bench.metrics import BUDGET_NORMS
from impress_bench.protections.immuniser import Immuniser, immunised

WIDTHS = (32, 48, 64, 96)
BATCH = 32
PHOTOGRAPHS = 0.75  # of a batch: what the editing task repaints; the rest are paintings
#: Bounds that are drawn, and those at which figures are taken, in 8-bit levels.
LEAST, MOST, MEASURED = 2, 16, (4, 8, 16)
ATTACK_STEPS = 100  # of the attack that figures compare with
SHARED = 32  # training photographs whose mean perturbation figures compare with


def train_immuniser(job: Job) -> dict[str, Any]:
    """Train, write `pack`/plugins/immuniser, return what the card records."""
    device = job.device
    torch.manual_seed(job.sizes.seed)
    network = pixel_unet.new(4, 3, WIDTHS).to(device)
    vae = AutoencoderKL.from_pretrained(job.pack / "vae").to(device).eval().requires_grad_(False)
    encode = partial(_encode, vae)
    sources = Sources(job)
    with torch.no_grad():
        grey = encode(torch.full_like(sources.images[:1], 0.5).to(device))

    def loss(generator: torch.Generator) -> Tensor:
        images, kept = (part.to(device) for part in sources.draw(generator))
        levels = LEAST + (MOST - LEAST) * torch.rand(BATCH, 1, 1, 1, generator=generator)
        with torch.no_grad(), bfloat16_if_fast(device):
            before = encode(masked_out(images, kept)).float() - grey
        with bfloat16_if_fast(device):
            moved = immunised(network, images, kept, levels.to(device) / 255)
            after = encode(masked_out(moved, kept)).float() - grey
        left = after.square().sum((1, 2, 3)) / before.square().sum((1, 2, 3)).clamp_min(1)
        return left.mean()

    schedule = Schedule(steps=job.steps, lr=1e-3, ema=0.998, weight_decay=0, seed=job.sizes.seed)
    origin = job.digest("vae")
    outcome = train({"network": network}, loss, schedule, job.work / "immuniser", origin)
    load_ema({"network": network}, outcome.ema)
    folder = job.pack / PLUGINS / "immuniser"
    network.half().cpu().save_pretrained(folder)
    size = sum(parameter.numel() for parameter in network.parameters())
    figures = immuniser_figures(job, encode)
    return {"hours": outcome.hours, "steps": job.steps, "parameters": size, **figures}


def immuniser_figures(job: Job, encode: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """What the card records of the network in `job.pack`, on held-out photographs.

    `left_*` are shares of the squared latent distance to grey over the cells of heads, means over
    photographs: after one pass of the protection, `left_pgd_*` after an attack of many steps on
    each photograph, `left_signs_*` after random signs, and `left_shared_*` after the signs of the
    network's mean perturbation of training photographs: one pattern for all, which shows how much
    the network makes of the photograph. `lpips_*` is how visible they are.
    """
    learnt = job.painted("pretrain", "pretrain", 400, ("portrait",), "photography")
    learnt = learnt.select(np.linspace(0, len(learnt) - 1, min(SHARED, len(learnt))).astype(int))
    portraits = job.painted("pretrain", "heldout", 8, ("portrait",), "photography")
    images, masks = to_tensor(portraits.images), torch.from_numpy(portraits.masks)
    heads = masks.float()[:, None]
    shown = masked_out(images, heads).to(job.device)
    kept = heads.to(job.device)
    with torch.no_grad():
        grey = encode(torch.full_like(shown[:1], 0.5))
    weights = str(job.pack / PLUGINS / "immuniser")
    figures = {}
    for levels in MEASURED:
        radius = levels / 255
        seeded = torch.Generator().manual_seed(0)
        immuniser = Immuniser(linf=radius, weights=weights)
        passed = immuniser(images, Context(seeded, masks=masks)).images
        signs = random_signs(shown, radius, seeded)
        driven = drive(encode, shown, grey, radius, steps=ATTACK_STEPS, movable=kept)
        clean = to_tensor(learnt.images)
        pattern = (immuniser(clean, Context(seeded)).images - clean).mean(0, keepdim=True).sign()
        shared = round_toward((shown + radius * pattern.to(shown)).clamp(0, 1), shown)
        ways = {"": passed.to(job.device), "pgd_": driven, "signs_": signs, "shared_": shared}
        for name, moved in ways.items():
            left = share_left(encode, shown, masked_out(moved, kept), grey, kept)
            figures[f"left_{name}{levels}"] = left.mean().item()
            published = torch.where(heads > 0, moved.cpu(), images)
            visible = BUDGET_NORMS["lpips"](published, images)
            figures[f"lpips_{name}{levels}"] = visible.mean().item()
    return figures


class Sources:
    """What the network is trained on: pre-training photographs of sitters, of whom an editor keeps
    the heads, and pre-training paintings of all movements, kept as a whole.

    `images` is (N, 3, 64, 64) in [0, 1]; `kept` (N, 1, 64, 64) is 1 on what an editor keeps.
    """

    def __init__(self, job: Job) -> None:
        photographs = job.painted("pretrain", "pretrain", 400, ("portrait",), "photography")
        paintings = job.painted("pretrain", "pretrain", 60)
        everywhere = np.ones_like(paintings.masks)
        self.images = to_tensor(np.concatenate([photographs.images, paintings.images]))
        masks = np.concatenate([photographs.masks, everywhere])
        self.kept = torch.from_numpy(masks).float()[:, None]
        counts = len(photographs), len(paintings)
        shares = PHOTOGRAPHS, 1 - PHOTOGRAPHS
        self._chance = torch.cat(
            [torch.full((n,), share / n) for n, share in zip(counts, shares, strict=True)]
        )

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`BATCH` images and what is kept of them: half of them mirrored, each in another tone."""
        index = torch.multinomial(self._chance, BATCH, replacement=True, generator=generator)
        mirrored = torch.rand(BATCH, 1, 1, 1, generator=generator) < 0.5
        drawn = [
            torch.where(mirrored, part.flip(-1), part)
            for part in (self.images[index], self.kept[index])
        ]
        gamma = torch.exp(0.25 * torch.randn(BATCH, 3, 1, 1, generator=generator))
        return drawn[0] ** gamma, drawn[1]


def _encode(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Latents (B, 4, h, w), means of the posterior, of images in [0, 1]."""
    return vae.encode(2 * images - 1).latent_dist.mean
