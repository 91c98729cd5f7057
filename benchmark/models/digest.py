"""What identifies folders and models: a digest of their files. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from impress_bench.benchmark.junk import is_junk
from impress_bench.benchmark.models.hub import (
    PLUGINS,
    HubId,
    commit_of,
    missing,
    place_of,
    weights_in,
)
from impress_bench.benchmark.texts import composed

#: What a model consists of. Prose (model cards) is left out: it changes no result.
WEIGHTS_AND_SETTINGS = frozenset((".safetensors", ".json", ".txt", ".model"))


def source_digest(source: str) -> str:
    """What identifies the weights of a model by its source: a folder's or a file's content, a hub
    id's commit on this machine and which variants of its weights are there.

    Raises OSError for what is not on this machine: a hub id alone identifies no weights.
    """
    place = place_of(source)
    if place.is_dir():
        return folder_digest(place)
    if place.is_file():
        return _file_digest(place)
    if (commit := commit_of(source)) is None:
        raise FileNotFoundError(f"{source} {missing(source)}")
    from huggingface_hub import snapshot_download

    name = HubId.parse(source).name
    folder = Path(snapshot_download(name, revision=commit, local_files_only=True))
    there = ",".join(path.relative_to(folder).as_posix() for path in weights_in(folder))
    return f"hub:{name}@{commit} {hashlib.sha256(there.encode()).hexdigest()[:16]}"


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the weights and settings in a model's `folder`; networks
    of plugins, which may lie there, are not the model's."""
    return _digest(
        folder,
        (
            path
            for path in _files(folder)
            if path.suffix in WEIGHTS_AND_SETTINGS
            and path.name != "model_card.json"
            and path.relative_to(folder).parts[0] != PLUGINS
        ),
    )


def tree_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files in `folder`; hidden ones and what systems leave
    behind apart. Accents count alike however a system writes them."""
    return _digest(folder, _files(folder))


def _files(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(map(is_junk, path.relative_to(folder).parts)):
            yield path


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    named = {composed(path.relative_to(folder).as_posix()): path for path in paths}
    for name, path in sorted(named.items(), key=lambda item: item[0].split("/")):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(_sha256(path))
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    """Of a checkpoint, and of the folder of its settings beside it if there is one."""
    digest = hashlib.sha256(_sha256(path))
    if (beside := path.with_suffix("")).is_dir():
        digest.update(folder_digest(beside).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:  # gigabytes, for Stable Diffusion
        return hashlib.file_digest(file, "sha256").digest()
