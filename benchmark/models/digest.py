"""What identifies a folder: a digest of its files. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

#: What a model consists of. Prose (model cards) is left out: it changes no result.
WEIGHTS_AND_SETTINGS = frozenset((".safetensors", ".json", ".txt", ".model"))


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the weights and settings in a model's `folder`."""
    return _digest(
        folder,
        (
            path
            for path in folder.rglob("*")
            if path.suffix in WEIGHTS_AND_SETTINGS and path.name != "model_card.json"
        ),
    )


def tree_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files in `folder`, hidden ones apart."""
    return _digest(
        folder,
        (
            path
            for path in folder.rglob("*")
            if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ),
    )


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:  # gigabytes, for Stable Diffusion
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
