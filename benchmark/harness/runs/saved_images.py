"""The protected and purified images of a run as PNG files in a folder of their own.

```
DIR/manifest.json
DIR/TASK/SUBJECT/PROTECTION/protected/IMAGE.png
DIR/TASK/SUBJECT/PROTECTION/PURIFIER/IMAGE.png
```

Names are those of the run as far as every file system takes them; the manifest has them as they
are. A folder belongs to one run: the same run may go on in it, any other is refused.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.plan import Cell, Plan
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.harness.storage.store import Store, StoreError

FLAG = "--save-images"
MANIFEST = "manifest.json"
#: Of a name that is shortened, what is left of it, and how many digits of its digest follow.
KEPT, DIGITS = 60, 8


class Group(NamedTuple):
    """Images of one stage, and where they go; no purifier for protected ones."""

    key: str
    task: str
    subject: str
    protection: str
    purifier: str
    seeds: tuple[int, ...]

    @property
    def folder(self) -> str:
        """Relative to the folder that images are saved in."""
        last = safe_name(self.purifier) if self.purifier else "protected"
        parts = (safe_name(part) for part in (self.task, self.subject, self.protection))
        return "/".join([*parts, last])


class SavedImages:
    """A folder for the images of one plan.

    Raises ConfigError, before anything is run, for a folder that holds something else: files of
    other origin, the images of another run, or images of this run that somebody has changed.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.folder = make_folder(folder, FLAG)
        self.groups = list(_groups(plan))
        document = [[*group] for group in self.groups]
        self.run = sha256(canonical_json(document).encode())
        self.preset = plan.preset.name
        self._check()
        self._write_manifest(self._known(), [])

    def save(self, store: Store, tell: Callable[[str], None]) -> list[Path]:
        """Write what the store holds, and the manifest, which lists what it lacks; how much it is
        goes to `tell` before it is written.

        Returns the files. Raises StoreError if the disk has no room, or cannot be written.
        """
        found = {group: store.find(group.key) for group in self.groups}
        images = [
            (group, name.removeprefix("images/").removesuffix(".png"), data)
            for group, stored in found.items()
            if stored is not None
            for name, data in stored.files.items()
            if name.startswith("images/")
        ]
        size = sum(len(data) for _, _, data in images)
        tell(f"saving {len(images)} images, {size / 1e6:.1f} MB, in {self.folder}")
        entries, paths = [], []
        try:
            if size > (free := shutil.disk_usage(self.folder).free):
                raise OSError(f"{size / 1e6:.0f} MB of images, and {free / 1e6:.0f} MB of room")
            for group, name, data in images:
                path = f"{group.folder}/{safe_name(name)}.png"
                entries.append(_entry(group, name, path, data))
                there = self.folder / path
                if not there.exists():
                    write_atomically(there, data)
                elif there.read_bytes() != data:
                    raise OSError(f"{path} has come to be there meanwhile, and is another image")
                paths.append(there)
            lacking = [_place(group) for group, stored in found.items() if stored is None]
            self._write_manifest(entries, lacking)
        except OSError as error:
            raise StoreError(
                f"{FLAG} {self.folder}: {error.strerror or error}. Results are stored: make room"
                " there, and run the same command again"
            ) from error
        if lacking:
            tell(f"{len(lacking)} sets of images were not made; {MANIFEST} lists them as missing")
        return [*paths, self.folder / MANIFEST]

    def _known(self) -> list[dict[str, Any]]:
        """What an earlier start of this run has saved."""
        path = self.folder / MANIFEST
        known: list[dict[str, Any]] = []
        if path.is_file():
            known = json.loads(path.read_bytes())["images"]
        return known

    def _check(self) -> None:
        """Raise ConfigError unless the folder is empty, or this run's and as it was left."""
        way_out = "name a folder that is new or empty"
        path = self.folder / MANIFEST
        if not path.exists():
            if any(self.folder.iterdir()):
                raise ConfigError(f"{FLAG} {self.folder}: is not empty; {way_out}")
            return
        try:
            document = json.loads(path.read_bytes())
            owner, preset = document["run"], document["preset"]
            known = {entry["path"]: entry["sha256"] for entry in document["images"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            told = f"{MANIFEST} is none of a run ({error})"
            raise ConfigError(f"{FLAG} {self.folder}: {told}; {way_out}") from None
        if owner != self.run:
            told = f"holds the images of another run, of preset {preset!r}"
            raise ConfigError(f"{FLAG} {self.folder}: {told}; {way_out}")
        for name, digest in known.items():
            there = self.folder / name
            if there.is_file() and sha256(there.read_bytes()) != digest:
                told = f"{name} is no longer what was saved"
                raise ConfigError(f"{FLAG} {self.folder}: {told}; move it away, or {way_out}")

    def _write_manifest(self, images: list[dict[str, Any]], missing: list[dict[str, Any]]) -> None:
        document = {"preset": self.preset, "run": self.run, "images": images, "missing": missing}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        write_atomically(self.folder / MANIFEST, text.encode())


def safe_name(text: str) -> str:
    """A name for a file or folder on any system: lower-case letters, digits, `.`, `_` and `-`.
    Where that is not `text` itself, a digest of it follows, so that different names stay so."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:KEPT].strip("-.")
    # A device on Windows, whatever its extension.
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    if name == text and not reserved and name != "protected":
        return name
    return f"{name}-{sha256(text.encode())[:DIGITS]}"


def _groups(plan: Plan) -> Iterator[Group]:
    """Protected and purified images of all cells, each once. They do not depend on the seed of the
    exploit: `seeds` are those of all exploits that get them."""
    cells: dict[tuple[str, str, str, str], list[Cell]] = {}
    for cell in plan.cells:
        place = cell.place
        if cell.protected is not None:
            cells.setdefault((place.task, place.subject, place.protection, ""), []).append(cell)
        if cell.purified is not None:
            where = (place.task, place.subject, *place.parts)
            cells.setdefault(where, []).append(cell)
    for where, together in cells.items():
        stage = together[0].purified if where[-1] else together[0].protected
        assert stage is not None
        seeds = {cell.place.seed for cell in together if cell.place.seed is not None}
        yield Group(stage.key, *where, tuple(sorted(seeds)))


def _place(group: Group) -> dict[str, Any]:
    """What the manifest says of a group."""
    return {
        "task": group.task,
        "subject": group.subject,
        "protection": group.protection,
        "purifier": group.purifier or None,
        "seeds": list(group.seeds),
        "key": group.key,
    }


def _entry(group: Group, name: str, path: str, data: bytes) -> dict[str, Any]:
    """What the manifest says of an image."""
    digests = {"sha256": sha256(data), "bytes": len(data)}
    return {**_place(group), "image": name, "path": path, **digests}
