"""Recipe of the calibrated encoder: a bounded perturbation moves it as it moves Stable Diffusion.

An encoder trained at this size is robust: PGD towards zero at L-inf 7.65/255 leaves .74 of its
latents' squared norm, where PhotoGuard's notebook leaves about .06 of Stable Diffusion 1.5's. No
protection can show on such a model what it does on the real one. So the encoder alone (with its
quant_conv, if any) is fine-tuned until bounded perturbations move its latents as far; decoder,
denoisers and classifiers stay. No protection's objective, no purifier and no validation or victim
artist takes part: an inner attack drives latents to drawn targets, and the encoder learns to follow
it.

The loss is `KEEP` * keep + `YIELD` * yield, both over the squared standard deviation of latents:
keep is the squared distance to the uncalibrated encoder's answer on clean images and on images
damaged without purpose, yield that of attacked images to a goal between their latents and the
attack's target.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from impress_bench.benchmark.atelier import UNCALIBRATED
from impress_bench.benchmark.atelier.train.calibration import calibration_figures
from impress_bench.benchmark.atelier.train.data import jpeg
from impress_bench.benchmark.atelier.train.job import Job
from impress_bench.benchmark.atelier.train.loop import Schedule, bfloat16_if_fast, load_ema, train
from impress_bench.benchmark.atelier.train.recipes.vae import to_model_range

BATCH, PHOTOGRAPHS, GREYED = 16, 5, 0.75
KEEP, YIELD = 4.0, 1.5
#: Radii of the inner attack, in units of [0, 1].
LEAST, MOST = 3 / 255, 16 / 255
#: Steps of the inner attack and how often each number is drawn.
INNER_STEPS, INNER_CHANCE = (3, 4, 6, 8), (0.4, 0.3, 0.2, 0.1)
#: What a target may be, and how often. The last three lead outwards: without them a protection that
#: ascends the denoiser's loss cannot move latents.
TARGETS = {
    "another": 0.4,
    "grey": 0.2,
    "zero": 0.2,
    "white": 0.07,
    "coarse": 0.07,
    "away": 0.06,
}
#: How often an image is damaged by noise, JPEG, halving, the autoencoder, signs, smooth noise.
DAMAGE_CHANCE = (0.15, 0.15, 0.15, 0.15, 0.25, 0.15)
FACTOR = 4  # pixels per latent cell and side
ENCODER = ("encoder.", "quant_conv.")  # what weights are called that make latents of images


def train_encoder(job: Job) -> dict[str, Any]:
    """Calibrate `pack`/vae's encoder, keep the uncalibrated one in `pack`/uncalibrated, return
    what the card records."""
    device = job.device
    torch.manual_seed(job.sizes.seed)
    vae = uncalibrated(job.pack).to(device)
    frozen = uncalibrated(job.pack).to(device).eval().requires_grad_(False)
    vae.eval()
    for name, parameter in vae.named_parameters():
        parameter.requires_grad_(name.startswith(ENCODER))
    sources = Sources(job)
    with torch.no_grad():
        parts = sources.images.split(64)
        reference = torch.cat([_moments(frozen, x.to(device)) for x in parts])
        grey = _means(_moments(frozen, torch.zeros_like(sources.images[:1]).to(device)))
    means = _means(reference)
    spread = means.std()

    def loss(generator: torch.Generator) -> Tensor:
        index = sources.draw(generator)
        clean, where = sources.images[index].to(device), sources.movable[index].to(device)
        index = index.to(device)
        cells = max_pool2d(where, FACTOR)
        origin = means[index]
        radius = _uniform(generator, LEAST, MOST, len(index)).to(device)
        target = _targets(means, index, grey, spread, generator)
        attacked = _attack(vae, clean, where, cells, target, radius, generator)
        reach = (0.9 * radius / (8 / 255)).clamp(max=0.97)
        goal = origin + reach * (target - origin) * cells
        damaged = clean + where * (_damaged(frozen, clean, radius, generator) - clean)
        with torch.no_grad(), bfloat16_if_fast(device):
            reference_damaged = _moments(frozen, damaged)
        with bfloat16_if_fast(device):
            moments = _moments(vae, torch.cat([clean, damaged, attacked]))
        on_clean, on_damaged, on_attacked = moments.float().chunk(3)
        keep = (on_clean - reference[index]).square().mean()
        keep = keep + (on_damaged - reference_damaged.float()).square().mean()
        follow = (_means(on_attacked) - goal).square().mean()
        return (KEEP * keep + YIELD * follow) / spread**2

    schedule = Schedule(
        steps=job.steps, lr=4e-4, ema=0.99, warmup=50, weight_decay=0, seed=job.sizes.seed
    )
    origin = job.digest(str(UNCALIBRATED.parent))
    outcome = train({"vae": vae}, loss, schedule, job.work / "encoder", origin)
    load_ema({"vae": vae}, outcome.ema)
    vae.save_pretrained(job.pack / "vae")
    figures = calibration_figures(vae.requires_grad_(False), frozen, job)
    return {"hours": outcome.hours, "steps": job.steps, **figures}


class Sources:
    """What the encoder is calibrated on: pre-training paintings of all movements, and pre-training
    photographs of sitters, most of them greyed outside the head as an inpainting model sees them.

    `images` is (N, 3, 64, 64) in [-1, 1]; `movable` (N, 1, 64, 64) is 1 where an attack may act.
    """

    def __init__(self, job: Job) -> None:
        paintings = job.painted("pretrain", "pretrain", 60)
        portraits = job.painted("pretrain", "pretrain", 400, ("portrait",), "photography")
        photographs = to_model_range(portraits.images)
        heads = torch.from_numpy(portraits.masks).float()[:, None]
        self.images = torch.cat(
            [to_model_range(paintings.images), photographs, photographs * heads]
        )
        everywhere = torch.ones(len(paintings) + len(photographs), 1, *photographs.shape[2:])
        self.movable = torch.cat([everywhere, heads])
        self._starts = (0, len(paintings), len(paintings) + len(photographs), len(self.images))

    def draw(self, generator: torch.Generator) -> Tensor:
        """Indices (BATCH,): paintings, photographs, greyed photographs in the recipe's shares."""
        kinds = torch.zeros(BATCH, dtype=torch.long)
        greyed = torch.rand(PHOTOGRAPHS, generator=generator) < GREYED
        kinds[:PHOTOGRAPHS] = 1 + greyed.long()
        starts = torch.tensor(self._starts)
        sizes = (starts[1:] - starts[:-1])[kinds]
        return starts[kinds] + (torch.rand(BATCH, generator=generator) * sizes).long()


def uncalibrated(pack: Path) -> AutoencoderKL:
    """The autoencoder of `pack` as the recipe `vae` left it; before the first calibration that is
    the one in `vae`/, whose encoder is then put aside."""
    trained = AutoencoderKL.from_pretrained(pack / "vae")
    config = dict(trained.config)
    config.pop("_name_or_path")  # a folder of the machine that trains
    vae = AutoencoderKL.from_config(config)
    vae.load_state_dict(trained.state_dict())
    if not (pack / UNCALIBRATED).exists():
        (pack / UNCALIBRATED).parent.mkdir(parents=True, exist_ok=True)
        state = vae.state_dict()
        kept = {k: v for k, v in state.items() if k.startswith(ENCODER)}
        save_file(kept, pack / UNCALIBRATED)
    missing, unexpected = vae.load_state_dict(load_file(pack / UNCALIBRATED), strict=False)
    assert not unexpected
    assert not [name for name in missing if name.startswith(ENCODER)]
    return vae


def _moments(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Means and log-variances (B, 2 C, h, w) of the latents of images in [-1, 1]."""
    return vae.encode(images).latent_dist.parameters


def _means(moments: Tensor) -> Tensor:
    """The first half (B, C, h, w) of `_moments`."""
    return moments.chunk(2, dim=1)[0]


def _targets(
    means: Tensor, index: Tensor, grey: Tensor, spread: Tensor, generator: torch.Generator
) -> Tensor:
    """A target (B, C, h, w) for the latents at `index`, of a kind drawn from `TARGETS`."""
    origin = means[index]
    kinds = torch.multinomial(
        torch.tensor(list(TARGETS.values())), len(index), replacement=True, generator=generator
    )
    chosen = torch.randint(len(means), (len(index),), generator=generator)
    other = means[chosen.to(means.device)]
    white = torch.randn(origin.shape, generator=generator).to(origin)
    coarse = torch.randn(*origin.shape[:2], 4, 4, generator=generator).to(origin)
    coarse = interpolate(coarse, origin.shape[-2:], mode="nearest")
    made = {
        "another": other,
        "grey": grey.expand_as(origin),
        "zero": torch.zeros_like(origin),
        "white": origin + 1.2 * spread * white,
        "coarse": origin + 1.2 * spread * coarse,
        "away": origin + 0.8 * (origin - other),
    }
    every = torch.arange(len(index), device=origin.device)
    return torch.stack([made[name] for name in TARGETS])[kinds.to(origin.device), every]


def _attack(
    vae: AutoencoderKL,
    clean: Tensor,
    where: Tensor,
    cells: Tensor,
    target: Tensor,
    radius: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """`clean` (B, 3, H, W) in [-1, 1] driven towards `target` within `radius` (B, 1, 1, 1) of
    [0, 1] by a few signed steps, half of the time with momentum, and rounded to 8 bits."""
    drawn = torch.multinomial(torch.tensor(INNER_CHANCE), 1, generator=generator)
    steps = INNER_STEPS[int(drawn)]
    momentum = 0.9 * float(torch.rand((), generator=generator) < 0.5)
    bound = 2 * radius * where  # on [-1, 1]
    delta = (2 * torch.rand(clean.shape, generator=generator).to(clean) - 1) * bound
    gathered = torch.zeros_like(clean)
    for step in range(steps):
        size = 1.2 / steps if steps < 6 else 0.5 * (1 - step / steps)
        moved = (clean + delta).requires_grad_()
        with bfloat16_if_fast(clean.device):
            latents = _means(_moments(vae, moved))
        distance = ((latents.float() - target).square() * cells).sum()
        (gradient,) = torch.autograd.grad(distance, moved)
        mean = gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-12)
        gathered = momentum * gathered + gradient / mean
        delta = (delta - size * bound * gathered.sign()).clamp(-bound, bound)
        delta = (clean + delta).clamp(-1, 1) - clean
    return ((clean + delta) * 127.5).round() / 127.5


def _damaged(
    frozen: AutoencoderKL, clean: Tensor, radius: Tensor, generator: torch.Generator
) -> Tensor:
    """Each image (B, 3, H, W) in [-1, 1] under a damage without purpose, of a kind drawn."""
    kinds = torch.multinomial(torch.tensor(DAMAGE_CHANCE), len(clean), True, generator=generator)
    result = clean.clone()
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    strength = 2 * _uniform(generator, 0.01, 0.125, len(clean)).to(clean)
    signs = torch.randint(0, 2, clean.shape, generator=generator).to(clean) * 2 - 1
    coarse = torch.randn(*clean.shape[:2], 8, 8, generator=generator).to(clean)
    qualities = torch.randint(10, 81, (len(clean),), generator=generator).tolist()
    for i, kind in enumerate(kinds.tolist()):
        image = clean[i : i + 1]
        size = image.shape[-1]
        if kind == 0:
            result[i] = clean[i] + strength[i] * noise[i]
        elif kind == 1:
            pixels = ((clean[i] + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
            result[i] = to_model_range(jpeg(pixels, qualities[i])[None])[0].to(clean)
        elif kind == 2:
            half = interpolate(image, scale_factor=0.5, mode="area")
            result[i] = interpolate(half, size=size, mode="bilinear")[0]
        elif kind == 3:
            with torch.no_grad():
                result[i] = frozen.decode(frozen.encode(image).latent_dist.mean).sample[0]
        elif kind == 4:
            result[i] = clean[i] + 2 * radius[i] * signs[i]
        else:
            smooth = interpolate(coarse[i : i + 1], size=size, mode="bicubic")[0]
            result[i] = clean[i] + strength[i] * smooth
    return result.clamp(-1, 1)


def _uniform(generator: torch.Generator, least: float, most: float, count: int) -> Tensor:
    """Values (count, 1, 1, 1) uniform between two ends."""
    return least + (most - least) * torch.rand(count, 1, 1, 1, generator=generator)
