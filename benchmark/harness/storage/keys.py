"""Keys of results: what a stage's outcome depends on, as a SHA-256 over canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Raised whenever stages or the layout of stored objects change in a way that alters results.
SCHEMA = 1
#: Third-party packages whose version may alter numbers (Pillow: JPEG and resizing).
LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "numpy", "pillow")


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, shortest floats, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def library_versions() -> Mapping[str, str]:
    """Installed versions of `LIBRARIES`, read from metadata so that none is imported."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions


def key_inputs(
    stage: str,
    parts: Mapping[str, Any],
    inputs: Mapping[str, str],
    threads: int,
    device: str = "cpu",
    numerics: str = "float32",
) -> dict[str, Any]:
    """The document that a key digests and that the store keeps beside the result.

    Thread count, numerics and type of device are part of it because sums change in the last bits
    with their order.
    """
    return {
        "schema": SCHEMA,
        "stage": stage,
        "parts": dict(parts),
        "inputs": dict(inputs),
        "threads": threads,
        "dtype": numerics,
        "device": device,
        "libraries": dict(library_versions()),
    }


def key_of(document: Mapping[str, Any]) -> str:
    return sha256(canonical_json(document).encode())


class KeyPattern:
    """`key_of` for documents that differ from a first one in the keys of their inputs alone: what
    they share is written as JSON once. Names of inputs must need no escaping."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.names = sorted(document["inputs"])
        blank = canonical_json({**document, "inputs": {}})
        # Nothing that sorts before "inputs" is free text, so that the first is the one meant.
        before, _, after = blank.partition('"inputs":{}')
        inputs = ",".join(f'"{name}":"%s"' for name in self.names)
        self._head = f'{before}"inputs":{{{inputs}}}'
        self._tail = after.encode()

    def key(self, *inputs: str) -> str:
        """The key of the document with these inputs, in the order of `names`."""
        return hashlib.sha256((self._head % inputs).encode() + self._tail).hexdigest()


def derive_seed(*coordinates: str | int) -> int:
    """A seed in [0, 2**32) from what it is for; the same on every machine and in any order."""
    digest = hashlib.sha256(canonical_json(list(coordinates)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
