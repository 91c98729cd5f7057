"""`susceptibility`: how far a bounded perturbation moves a model's latents, and what of that stays.

Protections that work through an autoencoder depend on it, and figures of real models are hardly
published: PhotoGuard's notebook leaves .06 of Stable Diffusion 1.5's squared norm at 7.65/255.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, center_crop, resize

from impress_bench.attacks import GaussianNoise, Jpeg, Resize
from impress_bench.attacks.base import Purifier
from impress_bench.benchmark.api.inputs import Images, named_pixels
from impress_bench.benchmark.contract import Context, check_range
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.models import load_model
from impress_bench.benchmark.models.latent_diffusion import LatentDiffusion
from impress_bench.benchmark.models.susceptibility import drive, random_signs, share_left, shift
from impress_bench.benchmark.pixels import round_to_8bit, to_tensor
from impress_bench.metrics import lpips_budget

#: L-infinity radii, in levels of 255.
RADII = (4.0, 8.0, 16.0)
TARGETS = ("zero", "another")
#: What a perturbation may meet on its way: the weakest purifiers.
MET: Mapping[str, Callable[[], Purifier]] = {
    "jpeg": lambda: Jpeg(quality=75),
    "resize": lambda: Resize(factor=0.5),
    "noise": lambda: GaussianNoise(std=0.05),
}


def susceptibility(
    model: str | LatentDiffusion,
    images: Images,
    *,
    radii: Sequence[float] = RADII,
    steps: int = 100,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """A table with one row per image, radius and target.

    Parameters:
        model: A registered name, a folder, a hub id, or a model.
        images: Two or more, as for `protect`; of another size than the model's they are cropped to
            a square and resized.
        radii: L-infinity bounds, in levels of 255; above 0, at most 255.
        steps: Steps of signed gradients, a quarter of the radius at first and falling linearly; at
            least 1.
        seed: Of the random signs and of the noise.
        device: "cpu" or "cuda", for a model that is named.
        progress: Called with the attacks done and their number.

    Columns: `image`, `radius`, `target` ("zero", or "another" image's latents); `left`, the share
    of the squared latent distance to the target that the attack leaves, and the same after JPEG 75
    (`left_jpeg`), resizing to half and back (`left_resize`) and noise of .05 (`left_noise`);
    `lpips` between the reconstructions of perturbed and clean image; and `signs`, how far random
    signs of that size move the latents, as a share of their squared norm.

    Raises ConfigError for fewer than two images and for what is out of range.
    """
    if steps < 1:
        raise ConfigError(f"steps must be at least 1, not {steps}")
    for radius in radii:
        try:
            check_range(above=0, most=255, radius=radius)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    held = load_model(model, device) if isinstance(model, str) else model
    given = named_pixels(images)
    if len(given) < 2:
        raise ConfigError("images: two or more are needed, since each is driven to another's")
    pixels = torch.cat([_fitted(to_tensor(one[None]), held.image_size) for _, one in given])
    rows, total = [], len(pixels) * len(radii) * len(TARGETS)
    with torch.no_grad():
        latents = torch.cat([held.encode(one[None].to(held.device)) for one in pixels])
    for at, (name, _) in enumerate(given):
        clean = pixels[at : at + 1].to(held.device)
        for radius in radii:
            for target in TARGETS:
                goal = torch.zeros_like(latents[:1])
                if target == "another":
                    goal = latents[(at + 1) % len(latents)][None]
                measured = _measured(held, clean, goal, radius / 255, steps, seed)
                rows.append(
                    {"image": name or f"{at:03d}", "radius": radius, "target": target, **measured}
                )
                progress(len(rows), total)
    return pd.DataFrame(rows)


def _measured(
    model: LatentDiffusion, clean: Tensor, goal: Tensor, radius: float, steps: int, seed: int
) -> dict[str, float]:
    """The figures of one image (1, 3, H, W) in [0, 1], driven to the latents `goal`."""
    moved = drive(model.encode, clean, goal, radius, steps=steps)
    found = {"left": float(share_left(model.encode, clean, moved, goal))}
    for name, build in MET.items():
        context = Context(generator=torch.Generator().manual_seed(seed), model=model)
        met = build()(moved, context).images.to(clean)
        found[f"left_{name}"] = float(share_left(model.encode, clean, met, goal))
    with torch.no_grad():
        seen, meant = (model.reconstruct(one).to(one).clamp(0, 1) for one in (moved, clean))
        found["lpips"] = float(lpips_budget(seen, meant))
    aimless = random_signs(clean.cpu(), radius, torch.Generator().manual_seed(seed)).to(clean)
    return {**found, "signs": float(shift(model.encode, clean, aimless))}


def _fitted(images: Tensor, side: int) -> Tensor:
    """The middle square of images (B, 3, H, W) in [0, 1] at the model's size, 8-bit values."""
    square = center_crop(images, [min(images.shape[-2:])] * 2)
    if square.shape[-1] != side:
        square = resize(square, [side, side], InterpolationMode.BICUBIC, antialias=True)
    return round_to_8bit(square.clamp(0, 1))
