"""Recipe of the learned purifier: a U-Net that predicts what a protection added.

After LightShed (Foerster et al. 2025), whose weights of losses and code are not public. A batch
holds protected images, their clean selves and clean images under random signs of the same sizes;
what is to be predicted is the protection, nothing, and nothing, so that the network learns what
protections look like and not noise. Its loss is the absolute error of pixels plus the squared
distance of latents, those of the pack's encoder, to the clean image's. The encoder takes part in
training alone: whoever purifies has the network and the images.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from scipy.stats import mannwhitneyu
from torch import Tensor

from impress_bench.attacks.jpeg import Jpeg
from impress_bench.attacks.learned import TRAINED_ON, residual
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import (
    Schedule,
    batches,
    fast_arithmetic,
    load_ema,
    train,
)
from impress_bench.benchmark.atelier.train.pairs import LEVELS, SEEN, UNSEEN, Kind, Maker, Pairs
from impress_bench.benchmark.contract import Context
from impress_bench.benchmark.models.families import pixel_unet
from impress_bench.benchmark.models.hub import PLUGINS
from impress_bench.benchmark.models.susceptibility import share_left
from impress_bench.benchmark.pixels import round_to_8bit, to_tensor
from impress_bench.metrics import psnr

BATCH = 64
#: Shares of a batch: clean images, and those under random signs; the others are protected.
CLEAN, NOISE = 0.25, 0.125
#: Share of protected images whose perturbation is scaled, and between what.
SCALED, LEAST, MOST = 0.3, 0.4, 1.2
#: Weights of the losses: pixels are in units of `UNIT`, latents in those of their deviation.
PIXELS, LATENTS, UNIT = 1.0, 1.0, 8 / 255
WIDTHS = (32, 64, 96)
QUALITIES = (15, 75)  # of JPEG, which figures stand beside


def train_purifier(job: Job) -> dict[str, Any]:
    """Train on all of `SEEN` but `job.without`, write `weights_folder(job)`, return hours, steps
    and figures on held-out works."""
    device, maker = job.device, Maker(job)
    seen = [kind for kind in SEEN if kind.name not in job.without]
    pairs = Pairs.joined([maker.training(kind) for kind in seen])
    clean, protected = (torch.from_numpy(x).to(device) for x in (pairs.clean, pairs.protected))
    model = maker.model()
    with torch.no_grad():
        spread = model.encode(_images(clean[: 4 * BATCH])).std()
    torch.manual_seed(job.sizes.seed)
    network = pixel_unet.new(3, 3, WIDTHS, groups=16).to(device)

    def loss(generator: torch.Generator) -> Tensor:
        index = batches(len(clean), BATCH, generator).to(device)
        given, target = drawn(_images(clean[index]), _images(protected[index]), generator)
        with fast_arithmetic(device):
            made = given - residual(network, given).float()
            latents = model.encode(torch.cat([made.clamp(0, 1), target]))
        error = (made - target).abs().mean() / UNIT
        ours, its = latents.float().chunk(2)
        return PIXELS * error + LATENTS * (ours - its).square().mean() / spread**2

    name = "-without-".join(("purifier", *job.without))
    origin = f"{job.digest('vae')} {[kind.label for kind in seen]} {len(clean)} {LEVELS} {BATCH}"
    schedule = Schedule(job.steps, lr=1e-3, ema=0.998, seed=job.sizes.seed)
    outcome = train({"network": network}, loss, schedule, job.work / name, origin)
    load_ema({"network": network}, outcome.ema)
    folder = weights_folder(job)
    network.half().cpu().save_pretrained(folder)
    labels = [kind.label for kind in seen]
    (folder / TRAINED_ON).write_text(json.dumps({"trained_on": labels}, indent=2) + "\n")
    return {
        "hours": outcome.hours,
        "steps": job.steps,
        "pairs": len(clean),
        "trained_on": labels,
        **purifier_figures(pixel_unet.load(folder, device), maker, seen),
    }


def weights_folder(job: Job) -> Path:
    """Where weights go: `pack`/plugins/learned, or learned-without-NAME."""
    return job.pack / PLUGINS / "-without-".join(("learned", *job.without))


def drawn(clean: Tensor, protected: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What the network is given and what is to be left of it, for B pairs in [0, 1]: the protected
    image, its perturbation as it is or scaled, and the clean one; the clean one, twice; the clean
    one under random signs, twice. 8-bit values."""
    shape = (len(clean), 1, 1, 1)
    kind = torch.rand(shape, generator=generator).to(clean.device)
    scaled = torch.rand(shape, generator=generator) < SCALED
    factor = LEAST + (MOST - LEAST) * torch.rand(shape, generator=generator)
    factor = torch.where(scaled, factor, 1.0).to(clean)
    amplitude = (max(LEVELS) / 255 * torch.rand(shape, generator=generator)).to(clean)
    signs = torch.randint(0, 2, clean.shape, generator=generator).to(clean) * 2 - 1
    noisy = round_to_8bit((clean + amplitude * signs).clamp(0, 1))
    given = round_to_8bit((clean + factor * (protected - clean)).clamp(0, 1))
    is_clean, is_noise = kind < CLEAN, (kind >= CLEAN) & (kind < CLEAN + NOISE)
    given = torch.where(is_clean, clean, torch.where(is_noise, noisy, given))
    return given, torch.where(is_noise, noisy, clean)


def purifier_figures(network: UNet2DModel, maker: Maker, seen: Sequence[Kind]) -> dict[str, Any]:
    """What the card records, by protection at 16/255, those that were seen and those that were not
    apart; means over images.

    - `latents_left_*`: squared distance of latents to the clean image's, as a share of the
      protected image's; 0 is clean, above 1 is farther than before. `latents_left_jpeg_75` is what
      JPEG of that quality leaves.
    - `psnr_*`: to the clean image, dB; `psnr_protected` is that of the protected image.
    - `auc_*`: chance that the residual of a protected image is larger than a clean one's, in root
      mean square; `auc_*_4` at 4/255; `auc_noise` of images under random signs of 8/255.
    - `psnr_clean`: of clean images, purified, to themselves.
    """
    model = maker.model()
    figures: dict[str, Any] = {}

    @torch.no_grad()
    def encode(images: Tensor) -> Tensor:
        return torch.cat([model.encode(part) for part in images.split(64)])

    for kind in (*SEEN, *UNSEEN):
        group = "seen" if kind in seen else "unseen"
        pairs = maker.held_out(kind, 16)
        clean, protected = (to_tensor(x).to(model.device) for x in (pairs.clean, pairs.protected))
        faint = to_tensor(maker.held_out(kind, 4).protected).to(model.device)
        sizes = {"": _sizes(network, protected), "_4": _sizes(network, faint)}
        still, goal = _sizes(network, clean), encode(clean)
        results = {group: _purified(network, protected)}
        for quality in QUALITIES:
            jpeg = Jpeg(quality=quality)(protected, Context(torch.Generator()))
            results[f"jpeg_{quality}"] = jpeg.images
        for name, images in results.items():
            left = share_left(encode, protected, images, goal)
            _put(figures, f"latents_left_{name}", kind, left)
            _put(figures, f"psnr_{name}", kind, psnr(images, clean))
        _put(figures, "psnr_protected", kind, psnr(protected, clean))
        for name, size in sizes.items():
            figures.setdefault(f"auc_{group}{name}", {})[kind.label] = area(still, size)
        if kind.label == SEEN[1].label:
            noise = torch.randint(0, 2, clean.shape, generator=torch.Generator().manual_seed(0))
            noisy = round_to_8bit((clean + 8 / 255 * (2 * noise.to(clean) - 1)).clamp(0, 1))
            figures["auc_noise"] = area(still, _sizes(network, noisy))
            changed = psnr(_purified(network, clean), clean)
            figures["psnr_clean"] = changed[changed.isfinite()].mean().item()
    return figures


def area(clean: Sequence[float], protected: Sequence[float]) -> float:
    """Area under the ROC curve: the chance that a protected image scores higher than a clean one;
    ties count half."""
    wins = mannwhitneyu(protected, clean).statistic
    return float(wins) / (len(clean) * len(protected))


def _images(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) as (B, 3, H, W) in [0, 1] on the same device."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def _residuals(network: UNet2DModel, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([residual(network, part) for part in images.split(64)])


def _purified(network: UNet2DModel, images: Tensor) -> Tensor:
    return round_to_8bit((images - _residuals(network, images)).clamp(0, 1))


def _sizes(network: UNet2DModel, images: Tensor) -> list[float]:
    """Root mean squares of the residuals, one per image."""
    return _residuals(network, images).square().mean((1, 2, 3)).sqrt().tolist()


def _put(figures: dict[str, Any], name: str, kind: Kind, values: Tensor) -> None:
    """The mean of the finite `values`; a purified image may equal the clean one."""
    mean = values[values.isfinite()].mean().item()
    figures.setdefault(name, {})[kind.label] = mean if math.isfinite(mean) else None
