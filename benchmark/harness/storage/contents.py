"""What a store holds: its objects, their sizes, and what they belong to; nothing is changed."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from impress_bench.benchmark.harness.storage.register import Entry, Register
from impress_bench.benchmark.harness.storage.store import UNFINISHED

#: Called with a number of objects that are dealt with, and the number of all.
Progress = Callable[[int, int], None]


class Item(NamedTuple):
    """An object: its key and folder, the bytes that it takes on the disk, and when it was made
    (seconds since 1970)."""

    key: str
    folder: Path
    bytes: int
    made: float


def folders_of(root: Path) -> list[Path]:
    """The folders of all objects, in the order of their keys."""
    groups = sorted(path for path in (root / "objects").glob("*") if path.is_dir())
    return [folder for group in groups for folder in sorted(group.iterdir())]


def items(root: Path, progress: Progress = lambda done, total: None) -> Iterator[Item]:
    """All objects; those that vanish meanwhile are left out."""
    folders = folders_of(root)
    for done, folder in enumerate(folders, 1):
        try:
            made = folder.stat().st_mtime
        except FileNotFoundError:
            continue
        yield Item(folder.name, folder, size_of(folder), made)
        progress(done, len(folders))


def unfinished(root: Path) -> Iterator[Item]:
    """The states of stages that take long, each stage's as one, and when the latest was kept."""
    for folder in sorted((root / UNFINISHED).glob("*")):
        with suppress(FileNotFoundError):  # its stage has ended
            yield Item(folder.name, folder, size_of(folder), folder.stat().st_mtime)


def size_of(folder: Path) -> int:
    """The bytes that a folder's files take on the disk, in whole blocks, as `du` counts them."""
    total = 0
    for above, _, files in os.walk(folder):
        for path in (above, *(os.path.join(above, name) for name in files)):
            try:
                total += os.lstat(path).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


@dataclass
class Share:
    """A number of objects and the bytes that they take."""

    objects: int = 0
    bytes: int = 0

    def add(self, item: Item) -> None:
        """Count one more."""
        self.objects += 1
        self.bytes += item.bytes


@dataclass
class Contents:
    """`all` objects; those of each preset, `alone` those that no other preset uses, `unused` those
    of no run that is known; those of each plugin, by stage and name; and the runs with their
    shares."""

    all: Share = field(default_factory=Share)
    unused: Share = field(default_factory=Share)
    presets: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    alone: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    plugins: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    runs: list[tuple[Entry, Share]] = field(default_factory=list)
    #: The states of stages that were cut short.
    unfinished: Share = field(default_factory=Share)
    #: Number of files of other kinds: failures of stages, parameters of plugins, timings.
    other: Counter[str] = field(default_factory=Counter)


def contents(root: Path, progress: Progress = lambda done, total: None) -> Contents:
    """What the store in `root` holds."""
    found, names = Contents(), plugin_names()
    found.runs = [(entry, Share()) for entry in Register(root).entries()]
    for entry, _ in found.runs:
        found.presets[entry.preset], found.alone[entry.preset] = Share(), Share()
    for item in items(root, progress):
        found.all.add(item)
        found.plugins[plugin_of(item.folder, names)].add(item)
        users = [(entry, share) for entry, share in found.runs if item.key in entry.keys]
        for _, share in users:
            share.add(item)
        presets = {entry.preset for entry, _ in users}
        for preset in presets:
            found.presets[preset].add(item)
            if len(presets) == 1:
                found.alone[preset].add(item)
        if not presets:
            found.unused.add(item)
    for item in unfinished(root):
        found.unfinished.add(item)
    for kind in ("failures", "resolved", "timings"):
        found.other[kind] = sum(1 for _ in (root / kind).glob("*.json"))
    return found


def plugin_names() -> dict[str, str]:
    """Registered names by `module:attribute`, of what is installed here."""
    return {
        entry.value: entry.name
        for one in distributions()
        for entry in one.entry_points
        if entry.group.startswith("impress_bench.")
    }


def plugin_of(folder: Path, names: Mapping[str, str]) -> str:
    """The stage and the plugin whose work an object is: `protect glaze`, or where it is defined
    if it is not installed; `damaged` if its manifest cannot be read."""
    try:
        inputs: Any = json.loads((folder / "manifest.json").read_bytes())["inputs"]
        component = inputs["parts"].get("component", {})
        target = str(component.get("target", ""))
        parts = [component, *component.get("adaptations", ())]
        called = "+".join(names.get(str(part["target"]), str(part["target"])) for part in parts)
        return f"{inputs['stage']} {called}" if target else str(inputs["stage"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "damaged"
