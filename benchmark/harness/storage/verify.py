"""Compares every file of a store with its digest; nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.harness.storage.contents import Progress, folders_of
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.harness.storage.manifest import BROKEN, read_manifest
from impress_bench.benchmark.harness.storage.result import Stored

_KEY = re.compile(r"[0-9a-f]{64}")


class Broken(NamedTuple):
    """A file that is not what was written, by its path in the store, and how."""

    file: str
    problem: str


def verify(root: Path, progress: Progress = lambda done, total: None) -> Iterator[Broken]:
    """The broken files of all objects, as they are found."""
    folders = folders_of(root)
    for done, folder in enumerate(folders, 1):
        for name, problem in _problems(folder):
            if not folder.exists():  # removed meanwhile
                break
            yield Broken(str((folder / name).relative_to(root)), problem)
        progress(done, len(folders))


def _problems(folder: Path) -> Iterator[tuple[str, str]]:
    key = folder.name
    if not _KEY.fullmatch(key) or folder.parent.name != key[:2]:
        yield "", "is no object; its name is no key, or it lies in the wrong folder"
        return
    try:
        manifest = read_manifest(folder)
        stored = Stored(manifest, {})
        _ = stored.seconds, stored.peak_bytes, stored.passes
    except BROKEN as error:
        yield "manifest.json", str(error) or type(error).__name__
        return
    for name, digest in manifest["files"].items():
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            yield name, error.strerror or str(error)
            continue
        if sha256(data) != digest:
            yield name, "is not what was written"
