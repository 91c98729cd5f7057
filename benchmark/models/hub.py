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
        """`org/name` or `org/name@revision`; a folder, which diffusers and transformers take in the
        place of a hub id, is all name."""
        if Path(source).is_dir():
            return cls(source)
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


def on_this_machine(source: str) -> Path | None:
    """The folder `source`, or where a hub id's files lie; None where they do not. Fetches nothing.

    Raises HFValidationError for what is neither a folder nor a hub id.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if Path(source).is_dir():
        return Path(source)
    hub = HubId.parse(source)
    try:
        return Path(snapshot_download(hub.name, revision=hub.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def missing(source: str) -> str:
    """What is to be done before a model can be loaded; empty if its safetensors weights are on this
    machine. Fetches nothing."""
    from huggingface_hub.errors import HFValidationError

    try:
        folder = on_this_machine(source)
    except HFValidationError:
        return "is neither a folder nor a hub id"
    if folder is None:
        hub = HubId.parse(source)
        pin = f" --revision {hub.revision}" if hub.revision else ""
        return f"is not on this machine; get it by: hf download {hub.name}{pin}"
    if any(folder.rglob("*.safetensors")):
        return ""
    if folder == Path(source):
        return "the folder holds no safetensors weights"
    return f"has no safetensors weights in {folder}; name a revision that has, or convert them"
