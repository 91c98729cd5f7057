"""What identifies a model folder: a digest of its files. Imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the weights and settings in `folder`.

    Prose (model cards) is left out: it changes no result.
    """
    digest = hashlib.sha256()
    kept = {".safetensors", ".json", ".txt", ".model"}
    for path in sorted(folder.rglob("*")):
        if path.suffix in kept and path.name != "model_card.json":
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
