"""The register of a store: which runs use which objects.

```
runs/ID.json   preset, folder and keys of a run; locked for as long as the run works
runs/lock      held while a run is entered, and while objects are removed
```

A run is entered before it looks into the store. So whoever holds `runs/lock` and sees no run that
needs an object may remove it. A run takes the place of an earlier one with the same folder, whose
tables it replaces.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from impress_bench.benchmark.harness.storage.atomic_files import take_lock, write_atomically

#: What the system says of a store that this user may read alone: nothing can be removed there.
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
NAMES = ("run", "preset", "out", "machine")


@dataclass(frozen=True)
class Entry:
    """A run: its ID, the name of its preset, its folder and the machine that has it, the keys of
    its stages, when it used the store last (seconds since 1970), and whether it works now."""

    run: str
    preset: str
    out: str
    machine: str
    keys: frozenset[str]
    used: float
    running: bool
    path: Path


class Register:
    """The register of the store in `root`."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "runs"

    @contextmanager
    def entered(self, run: str, preset: str, out: Path, keys: Collection[str]) -> Iterator[None]:
        """Keep what a run uses for as long as the block lasts, and its entry afterwards.

        Waits while objects are being removed. In a store that cannot be written nothing is entered.
        Raises OSError.
        """
        place = str(out.resolve())
        document = {
            "run": run,
            "preset": preset,
            "out": place,
            "machine": platform.node(),
            "keys": sorted(keys),
        }
        path = self.folder / f"{run}.json"
        with ExitStack() as stack:
            try:
                with self.closed():
                    former = [one for one in self.entries() if one.out == place]
                    write_atomically(path, json.dumps(document).encode())
                    take_lock(stack.enter_context(path.open("r+")), wait=True)
                    stack.callback(_touch, path)
                    for entry in former:
                        if entry.machine == document["machine"] and not entry.running:
                            self.remove(entry)
            except OSError as error:
                if error.errno not in READ_ONLY:
                    raise
            yield

    @contextmanager
    def closed(self) -> Iterator[None]:
        """While the block lasts no run is entered and no other process removes objects. Raises
        OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as file:
            take_lock(file, wait=True)
            yield

    def entries(self) -> list[Entry]:
        """All runs, the least recently used first. A file that is no entry is passed over."""
        found = []
        for path in self.folder.glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                found.append(_read(path))
        return sorted(found, key=lambda entry: (entry.used, entry.run))

    def remove(self, entry: Entry) -> None:
        """Forget a run. Its objects stay until they are pruned."""
        entry.path.unlink(missing_ok=True)


def _touch(path: Path) -> None:
    with suppress(OSError):
        os.utime(path)


def _read(path: Path) -> Entry:
    with path.open("rb") as file:
        document = json.load(file)
        run, preset, out, machine = (str(document[name]) for name in NAMES)
        used = os.fstat(file.fileno()).st_mtime
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            running = False
        except BlockingIOError:
            running = True
    keys = frozenset(map(str, document["keys"]))
    return Entry(run, preset, out, machine, keys, used, running, path)
