"""Keys of results: SHA-256 over canonical JSON of everything that a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Raised whenever stages or the layout of stored objects change in a way that alters results.
SCHEMA = 1
#: Distributions that the harness itself computes with; a component adds those of its own code.
LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "numpy", "pillow")


def canonical_json(value: Any) -> str:
    """The same text for equal values: sorted keys, no spaces, shortest floats. Raises ValueError
    for NaN and infinity."""
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
    """The document that a key digests, kept in the store beside the result.

    Thread count, numerics and type of device are part of it because the order of summation changes
    the last bits of a result.
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
    """A key template: `key_of` for documents that differ only in the keys of their inputs, whose
    common part is written as JSON once. Names of inputs must need no escaping in JSON."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.names = sorted(document["inputs"])
        blank = canonical_json({**document, "inputs": {}})
        # No free text sorts before "inputs", so the first occurrence is the right one.
        before, _, after = blank.partition('"inputs":{}')
        inputs = ",".join(f'"{name}":"%s"' for name in self.names)
        self._head = f'{before}"inputs":{{{inputs}}}'
        self._tail = after.encode()

    def key(self, *inputs: str) -> str:
        """The key of the document with these inputs, in the order of `names`."""
        return hashlib.sha256((self._head % inputs).encode() + self._tail).hexdigest()


def derive_seed(*coordinates: str | int) -> int:
    """A seed in [0, 2**32) from the coordinates of its use, the same on every machine."""
    digest = hashlib.sha256(canonical_json(list(coordinates)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
