"""Removes objects from a store: those that no run uses, or that were not used for a while."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.storage.contents import (
    Item,
    Progress,
    Share,
    items,
    unfinished,
)
from impress_bench.benchmark.harness.storage.register import Entry, Register
from impress_bench.benchmark.harness.storage.store import Store


@dataclass
class Pruned:
    """What was removed, what is `left`, what of that is `held` by runs that work now or are to be
    kept, the runs whose entries went, and the number of `leftovers`: unfinished objects of
    processes that have ended, reasons of failures in runs that have, and states of stages that no
    run has left to do."""

    removed: Share = field(default_factory=Share)
    left: Share = field(default_factory=Share)
    held: Share = field(default_factory=Share)
    runs: list[Entry] = field(default_factory=list)
    leftovers: int = 0


def prune(
    store: Store,
    keep: Sequence[str] = (),
    older_than: float | None = None,
    keep_below: int | None = None,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Pruned:
    """Remove the objects that no entered run uses. No object goes that a run uses which works now.

    keep: no object of these runs goes, by their folders or IDs; others that have ended do not
        count.
    older_than: remove what was not used for so many seconds, whether another run uses it or not.
    keep_below: remove no more than it takes for the objects to fit into so many bytes; what no run
        uses goes first, then what was not used for the longest time.
    dry_run: remove nothing, only say what would be.

    A run that starts meanwhile waits. Raises ConfigError for a run that is not known, OSError.
    """
    register, found = Register(store.root), Pruned()
    with register.closed():
        entries = register.entries()
        kept = _kept(entries, keep)
        held: set[str] = set().union(*(entry.keys for entry in kept))
        used: dict[str, float] = {}
        for entry in kept if keep else entries:  # the latest use comes last
            used |= dict.fromkeys(entry.keys, entry.used)
        everything = list(items(store.root, progress))
        doomed = _doomed(everything, held, used, older_than, keep_below)
        for item in everything:
            (found.removed if item.key in doomed else found.left).add(item)
            if item.key in held:
                found.held.add(item)
        left = {item.key for item in everything} - doomed
        before = float("inf") if keep else time.time() - (older_than or float("inf"))
        found.runs = [
            one
            for one in entries
            if one not in kept and (one.used < before or one.keys.isdisjoint(left))
        ]
        if dry_run:
            return found
        for entry in found.runs:  # first: a run that is listed and lacks objects misleads
            register.remove(entry)
        for item in everything:
            if item.key in doomed:
                _remove(store.root, item.folder)
        found.leftovers = _sweep(store, {entry.run for entry in entries if entry.running})
        found.leftovers += _sweep_unfinished(
            store.root,
            held,
            set().union(*(one.keys for one in entries if one not in found.runs)),
            before,
        )
    return found


def _kept(entries: Sequence[Entry], keep: Sequence[str]) -> list[Entry]:
    """The runs that work now, and those that are named. Raises ConfigError for one that is not
    there."""
    kept = [entry for entry in entries if entry.running]
    for name in keep:
        named = [one for one in entries if one.run == name or one.out == str(Path(name).resolve())]
        if not named:
            known = ", ".join(entry.out for entry in entries) or "none"
            raise ConfigError(f"--keep: the store knows no run {name}. Known: {known}")
        kept += [entry for entry in named if entry not in kept]
    return kept


def _doomed(
    everything: Sequence[Item],
    held: Collection[str],
    used: Mapping[str, float],
    older_than: float | None,
    keep_below: int | None,
) -> set[str]:
    """The keys of what goes."""
    latest = {item.key: max(item.made, used.get(item.key, 0.0)) for item in everything}
    candidates = [item for item in everything if item.key not in held]
    if older_than is not None:
        before = time.time() - older_than
        candidates = [item for item in candidates if latest[item.key] < before]
    elif keep_below is None:
        candidates = [item for item in candidates if item.key not in used]
    if keep_below is None:
        return {item.key for item in candidates}
    candidates.sort(key=lambda item: (item.key in used, latest[item.key], item.key))
    total, doomed = sum(item.bytes for item in everything), set()
    for item in candidates:
        if total <= keep_below:
            break
        doomed.add(item.key)
        total -= item.bytes
    return doomed


def _remove(root: Path, folder: Path) -> None:
    """Take an object away in one step, so that nobody reads a part of it, then remove its files."""
    away = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=root / "tmp"))
    with suppress(FileNotFoundError):
        folder.rename(away / "object")
    shutil.rmtree(away, ignore_errors=True)


def _sweep(store: Store, running: Collection[str]) -> int:
    """Remove what processes that have ended left unfinished, and the reasons of their failures."""
    count = 0
    for key in {path.name.partition(".")[0] for path in (store.root / "tmp").iterdir()}:
        before = len(list((store.root / "tmp").glob(f"{key}.*")))
        with store.lock(key) as mine:  # which removes them
            count += before if mine else 0
    for path in (store.root / "failures").glob("*.json"):
        with suppress(OSError, ValueError, AttributeError):
            if json.loads(path.read_bytes()).get("run") not in running:
                path.unlink()
                count += 1
    return count


def _sweep_unfinished(
    root: Path, held: Collection[str], entered: Collection[str], before: float
) -> int:
    """Remove the states of stages that were cut short, if no entered run has them, or if they are
    older than `before` and not held."""
    count = 0
    for item in unfinished(root):
        if item.key not in entered or (item.key not in held and item.made < before):
            shutil.rmtree(item.folder, ignore_errors=True)
            count += 1
    return count
