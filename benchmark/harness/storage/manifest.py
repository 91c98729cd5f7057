"""The manifest of a stored object: what its key digests, and the digest of each file beside it."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256

#: `record.json`, or an image in a folder of images.
_NAME = re.compile(r"(?:(?!\.)[^/\0]+/)?(?!\.)[^/\0]+")
#: What reading an object raises if something in it is not as it was written.
BROKEN = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, AttributeError)
#: What the system says of an object that is not as it was written, such as names in a manifest that
#: is damaged. All else tells of the disk, or of whose object it is.
AMISS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest in the folder of an object, which is called by its key. Raises one of `BROKEN`
    if it belongs to another key, or names files elsewhere."""
    manifest: Mapping[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    if sha256(canonical_json(manifest["inputs"]).encode()) != folder.name:
        raise ValueError("the manifest belongs to another key")
    for name in manifest["files"].keys():  # noqa: SIM118
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a file in it")
    return manifest
