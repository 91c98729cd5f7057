"""Images that another program changes, or has changed: files in, files out.

The other program may live in any environment and any language; all it is asked is to read PNGs from
one folder and to write PNGs of the same names and sizes into another.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from impress_bench.benchmark.contract import PluginError, check_range
from impress_bench.benchmark.pixels import to_pixels, to_tensor
from impress_bench.benchmark.sandbox.confine import OUTPUT_GB as OUTPUT_GB
from impress_bench.benchmark.sandbox.confine import run_confined

__all__ = ["OUTPUT_GB", "Command", "Folder", "read_images"]


@dataclass(frozen=True)
class Command:
    """A command line with {in} and {out}, folders of PNGs 000.png, 001.png, …, and, if it wants
    them, {masks}, white on what an editor keeps.

    It runs without a shell, in a process group of its own, for `timeout` seconds at most, with
    `memory_gb` GiB of memory of its own; no file that it writes grows beyond `output_gb` GiB.
    Raises ValueError for a line without {in} and {out} and for a limit that is not positive.
    """

    line: str
    timeout: float
    memory_gb: float | None = None
    output_gb: float = OUTPUT_GB

    def __post_init__(self) -> None:
        if "{in}" not in self.line or "{out}" not in self.line:
            raise ValueError(f"command {self.line!r} must name the folders {{in}} and {{out}}")
        check_range(
            above=0, timeout=self.timeout, memory_gb=self.memory_gb, output_gb=self.output_gb
        )

    def run(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """What the command makes of images (B, 3, H, W) in [0, 1], in their dtype.

        Raises PluginError where it fails, hangs, or does not write every image at its size.
        """
        plugin = f"exec:{self.line}"
        with tempfile.TemporaryDirectory(prefix="impress-bench-") as scratch:
            folders = {name: Path(scratch) / name for name in ("in", "out", "masks")}
            for folder in folders.values():
                folder.mkdir()
            names = [f"{index:03d}" for index in range(len(images))]
            for name, pixels in zip(names, to_pixels(images.cpu()), strict=True):
                Image.fromarray(pixels).save(folders["in"] / f"{name}.png")
            if masks is not None:
                for name, mask in zip(names, masks.cpu().numpy(), strict=True):
                    white = mask.astype(np.uint8) * 255
                    Image.fromarray(white).save(folders["masks"] / f"{name}.png")
            words = shlex.split(self.line)
            for name, folder in folders.items():
                words = [word.replace(f"{{{name}}}", str(folder)) for word in words]
            limits = (self.timeout, self.memory_gb)
            run_confined(plugin, words, Path(scratch), *limits, output_gb=self.output_gb)
            return read_images(plugin, folders["out"], names, images)


class Folder:
    """Images that were changed elsewhere: `path` has one folder per subject, and in it PNGs of the
    names that the benchmark gives the images."""

    def __init__(self, path: str) -> None:
        self.path = Path(os.path.expanduser(path))
        self.names: tuple[str, ...] = ()
        self.subject = ""

    def receive_names(self, subject: str, names: Sequence[str]) -> None:
        """The subject and the names of the images that `read` will be asked for."""
        self.subject, self.names = subject, tuple(names)

    def read(self, images: Tensor) -> Tensor:
        """Those images, in the shape and dtype of `images`. Raises PluginError."""
        plugin = f"dir:{self.path}"
        if len(self.names) != len(images):
            raise PluginError(plugin, "works in a run only, where images have names")
        return read_images(plugin, self.path / self.subject, self.names, images)


def read_images(plugin: str, folder: Path, names: Sequence[str], like: Tensor) -> Tensor:
    """`names`.png of a folder, in the shape and dtype of `like`. Raises PluginError."""
    found = []
    for name in names:
        path = folder / f"{name}.png"
        try:
            with Image.open(path) as picture:
                _refuse_size(plugin, path, (picture.height, picture.width), like)
                pixels = np.asarray(picture.convert("RGB"))
        except (OSError, UnidentifiedImageError) as error:
            raise PluginError(plugin, f"{path} is no image: {error}") from None
        except Image.DecompressionBombError:
            wanted = "x".join(map(str, like.shape[-2:]))
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise PluginError(
                plugin, f"{path} has more than Pillow's {most} pixels and is not {wanted}"
            ) from None
        found.append(to_tensor(pixels[None]))
    return torch.cat(found).to(like)


def _refuse_size(plugin: str, path: Path, size: tuple[int, int], like: Tensor) -> None:
    """Judge height and width by the header, before anything is decoded."""
    if size != tuple(like.shape[-2:]):
        sizes = "x".join(map(str, size)), "x".join(map(str, like.shape[-2:]))
        raise PluginError(plugin, f"{path} is {sizes[0]} and not {sizes[1]}")
