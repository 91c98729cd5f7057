"""Models by name: a folder, a file, or a hub id with an optional revision, `org/name@revision`.

A leading `~` in a path is the user's folder. `pack:NAME` is a plugin's network that comes with the
package.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from impress_bench.benchmark.junk import is_junk

#: Single files of weights: the first is read, the others would have to be unpickled.
CHECKPOINT, PICKLED = ".safetensors", (".ckpt", ".pt", ".pth", ".bin")

#: In a model's folder: networks of protections and purifiers that were trained against it. They are
#: no part of the model, nor of its digest.
PLUGINS = "plugins"
#: What comes with the package, wherever it is installed: `pack:NAME` is the same on all machines.
SHIPPED, SHIPPED_IN = "pack:", Path(__file__).parents[1] / "atelier" / "pack" / PLUGINS

COMMIT = re.compile("[0-9a-f]{40}")


class HubId(NamedTuple):
    """A repository on the hub and which of its states; None is the newest."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, source: str) -> HubId:
        """`org/name` or `org/name@revision`; a folder, which diffusers and transformers take in the
        place of a hub id, is all name."""
        if (place := place_of(source)).is_dir():
            return cls(str(place))
        name, _, revision = source.partition("@")
        return cls(name, revision or None)


def place_of(source: str) -> Path:
    """The path that a source is, if it is one; `~` is the user's folder."""
    if source.startswith(SHIPPED):
        return SHIPPED_IN / source.removeprefix(SHIPPED)
    return Path(os.path.expanduser(source))  # unlike Path's, leaves a user's name it does not know


def is_source(name: str) -> bool:
    """A path or a hub id has a slash, or is a file of weights; the name of a registered model is
    neither."""
    return "/" in name or name.startswith("~") or name.endswith((CHECKPOINT, *PICKLED))


def is_path(source: str) -> bool:
    """Whether a source can only be a path: a hub id is `org/name`."""
    beginning = source.startswith((".", "/", "~"))
    return beginning or source.count("/") != 1 or source.endswith((CHECKPOINT, *PICKLED))


def local_folder(source: str, patterns: Sequence[str]) -> Path:
    """The folder `source`, or where the files of a hub id that match `patterns` lie, fetched if the
    id names a commit.

    Raises OSError for another hub id that is not on this machine, of which the newest state would
    be fetched, a different one every time; and what huggingface_hub raises.
    """
    if (place := place_of(source)).is_dir():
        return place
    hub = HubId.parse(source)
    if not is_commit(source):
        folder = None if is_path(source) else on_this_machine(source)
        if folder is None:
            raise OSError(f"{source} {missing(source)}; or name a commit: {hub.name}@COMMIT")
        return folder
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(hub.name, revision=hub.revision, allow_patterns=list(patterns)))


def is_commit(source: str) -> bool:
    """Whether a hub id names a commit, in full, and not a branch or tag, which move."""
    return COMMIT.fullmatch(HubId.parse(source).revision or "") is not None


def on_this_machine(source: str) -> Path | None:
    """The folder or file `source`, or where a hub id's files lie; None where they do not. Fetches
    nothing.

    Raises HFValidationError for what is neither a path nor a hub id.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if (place := place_of(source)).exists():
        return place
    hub = HubId.parse(source)
    try:
        return Path(snapshot_download(hub.name, revision=hub.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def commit_of(source: str) -> str | None:
    """The commit that a hub id stands for: its revision if that is a commit, else that of the files
    that were fetched last. None for paths, and for a branch or tag that is not on this machine."""
    if place_of(source).exists() or is_path(source):
        return None
    if is_commit(source):
        return HubId.parse(source).revision
    try:
        folder = on_this_machine(source)
    except ValueError:  # no hub id either
        return None
    return None if folder is None else folder.name


def missing(source: str) -> str:
    """What is to be done before a model can be loaded; empty if its safetensors weights are on this
    machine. Fetches nothing."""
    from huggingface_hub.errors import HFValidationError

    place = place_of(source)
    if is_path(source) and not place.exists():
        return "is neither a folder nor a hub id: there is nothing of that name"
    try:
        folder = on_this_machine(source)
    except HFValidationError:
        return "is neither a folder nor a hub id"
    if folder is None:
        hub = HubId.parse(source)
        pin = f" --revision {hub.revision}" if hub.revision else ""
        return (
            "is not on this machine, neither as a folder nor fetched from the hub; get it by:"
            f" hf download {hub.name}{pin}"
        )
    if folder.is_file():
        if folder.suffix == CHECKPOINT:
            return ""
        return "is no safetensors file; other formats are not read, since reading them runs code"
    if any(weights_in(folder)):
        return ""
    if folder == place:
        return "the folder holds no safetensors weights"
    return f"has no safetensors weights in {folder}; name a revision that has, or convert them"


def weights_in(folder: Path) -> list[Path]:
    """The safetensors files in a folder, at any depth, by path."""
    found = folder.rglob(f"*{CHECKPOINT}")
    return sorted(path for path in found if not is_junk(path.name))
