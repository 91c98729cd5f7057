"""Fixtures that several packages' tests share.

The process that hands out the suite's files to others loads this module too: it imports no torch.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forks import Forks, forking

if TYPE_CHECKING:
    import torch
    from tiny import TinyModel
    from torch import Tensor

#: Files that take longest, roughly in that order. Processes that share the suite's files begin with
#: these, so that none is left with one at the end; by itself xdist would leave those of few tests.
LONGEST = (
    "test_isolation.py", "test_objectives.py", "test_readme.py", "test_ray.py", "test_recipes.py",
    "test_immuniser.py", "test_renamed.py", "test_kills.py", "test_processes.py",
    "fidelity/test_plugins.py", "test_odd_images.py", "test_from_python.py", "test_photo_memory.py",
    "test_other_interpreter.py", "test_leaderboard.py", "test_scaffold.py",
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


@pytest.fixture(scope="session")
def tiny_model() -> Callable[[torch.dtype], TinyModel]:
    """Builds the tiny model in a dtype, with equal weights each time."""
    from tiny import TinyModel

    return TinyModel


@pytest.fixture(scope="session")
def smooth_images() -> Callable[..., Tensor]:
    """`smooth_images(n, side, seed=0)`: 8-bit float32 images with large soft shapes."""
    from tiny import smooth_images

    return smooth_images


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A process that has imported what a run does, and forks for each command."""
    with forking() as process:
        yield process


@pytest.fixture(scope="session")
def third_parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that holds the packages of tests/plugins, installed from wheels."""
    folder = tmp_path_factory.mktemp("third-parties")
    sources = [folder / "source" / name for name in ("hostile", "sample")]
    for source in sources:
        shutil.copytree(Path(__file__).parent / "plugins" / source.name, source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, *sources)
    site = folder / "site"
    wheels = sorted(folder.glob("*.whl"))
    _pip("install", "--no-deps", "--no-index", "--target", site, *wheels)
    return site


def _pip(*arguments: object) -> None:
    quiet = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*quiet, *map(str, arguments)], check=True)
