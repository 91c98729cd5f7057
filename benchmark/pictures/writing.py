"""Pictures as files: PNG, since another round of JPEG would remove part of a perturbation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from impress_bench.benchmark.datasets.pictures import Picture
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG, whole or not at all. Raises OSError."""
    layers = [picture.rgb] if picture.alpha is None else [picture.rgb, picture.alpha[..., None]]
    buffer = io.BytesIO()
    image = Image.fromarray(np.concatenate(layers, axis=2))
    image.save(buffer, "PNG", icc_profile=picture.profile)
    write_atomically(path, buffer.getvalue())
