"""Models by name: a folder, or a hub id with an optional revision, `org/name@revision`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class HubId(NamedTuple):
    """A repository on the hub and which of its states; None is the newest."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, source: str) -> HubId:
        """`org/name` or `org/name@revision`."""
        name, _, revision = source.partition("@")
        return cls(name, revision or None)


def is_source(name: str) -> bool:
    """A path or a hub id has a slash, the name of a registered model none."""
    return "/" in name


def local_folder(source: str, patterns: Sequence[str]) -> Path:
    """The folder `source`, or where the files of a hub id that match `patterns` were fetched to.

    Raises what huggingface_hub raises where they cannot be had.
    """
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download

    hub = HubId.parse(source)
    return Path(snapshot_download(hub.name, revision=hub.revision, allow_patterns=list(patterns)))
