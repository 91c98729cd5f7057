"""Fixtures that several packages' tests share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from forks import Forks, forking
from torch import Tensor

from impress_bench.benchmark.models.posterior import Posterior

#: Files that take minutes, the longest first. Processes that share the suite's files begin with
#: these, so that none is left with one at the end; by itself xdist would leave those of few tests.
LONGEST = (
    "test_isolation.py", "test_recipes.py", "test_readme.py", "test_kills.py", "test_ray.py",
    "test_processes.py", "fidelity/test_plugins.py", "test_other_interpreter.py",
    "test_confine.py", "test_prune.py", "test_external.py", "test_scaffold.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """xdist keeps the order of the files."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the rest as it was."""

    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((at for at, name in enumerate(LONGEST) if path.endswith(name)), len(LONGEST))

    items.sort(key=place)


class TinyModel:
    """A random autoencoder behind the part of LatentDiffusion's interface that plugins use.

    img2img just inverts the image and adds a little of each image's own noise.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        blocks = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
        self.vae = AutoencoderKL(
            down_block_types=blocks[0],
            up_block_types=blocks[1],
            block_out_channels=(8, 16),
            norm_num_groups=4,
            mid_block_add_attention=False,
        ).to(dtype)
        self.dtype, self.device, self.prompts = dtype, torch.device("cpu"), []

    def encode(
        self,
        images: Tensor,
        sample: bool = False,
        generator: list[torch.Generator] | None = None,
    ) -> Tensor:
        found = self.posterior(images)
        return found.sample(generator) if sample else found.mean

    def posterior(self, images: Tensor) -> Posterior:
        found = self.vae.encode(2 * images - 1).latent_dist
        return Posterior(found.mean, found.std)

    def decode(self, latents: Tensor) -> Tensor:
        return (self.vae.decode(latents).sample + 1) / 2

    def tokenize(self, word: str) -> list[str]:
        return [word]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def img2img(
        self,
        images: Tensor,
        prompts: list[str],
        strength: float,
        steps: int,
        guidance_scale: float,
        generator: list[torch.Generator],
    ) -> Tensor:
        self.prompts = prompts
        noise = torch.stack([torch.randn(images.shape[1:], generator=g) for g in generator])
        return (1 - images + 0.05 * noise.to(images)).clamp(0, 1)


@pytest.fixture(scope="session")
def tiny_model() -> Callable[[torch.dtype], TinyModel]:
    """Builds the tiny model in a dtype, with equal weights each time."""
    return TinyModel


def _smooth_images(n: int, side: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 6, 6, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return (images * 255).round() / 255


@pytest.fixture(scope="session")
def smooth_images() -> Callable[..., Tensor]:
    """`smooth_images(n, side, seed=0)`: 8-bit float32 images with large soft shapes."""
    return _smooth_images


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A process that has imported what a run does, and forks for each command."""
    with forking() as process:
        yield process


@pytest.fixture(scope="session")
def third_parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that holds the packages of tests/plugins, installed from wheels."""
    folder = tmp_path_factory.mktemp("third-parties")
    for name in ("hostile", "sample"):
        source = folder / "source" / name
        shutil.copytree(Path(__file__).parent / "plugins" / name, source)
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    site = folder / "site"
    wheels = sorted(folder.glob("*.whl"))
    _pip("install", "--no-deps", "--no-index", "--target", site, *wheels)
    return site


def _pip(*arguments: object) -> None:
    quiet = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*quiet, *map(str, arguments)], check=True)
