"""The content-addressed store: results of stages, under the digest of all that they depend on.

```
objects/ab/ab12…/manifest.json      what the key digests, and the SHA-256 of every file beside it
objects/ab/ab12…/images/*.png, meta.json, record.json
runs/                               which runs use which objects (see the register)
failures/ab12….json                 why a stage failed last time; read by the run that it failed in
resolved/                           parameters of components (see the registry)
timings/                            how long stages took, for estimates
unfinished/ab12…/                   the state of a stage that takes long
locks/, tmp/                        of running processes
```

An object appears whole, by a rename, or not at all. Processes may share a store: a stage has a lock
by its key, and a process that does not get it takes another stage and reuses the result later.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from impress_bench.benchmark.harness.storage.atomic_files import (
    NoLocksError,
    sync_folder,
    take_lock,
    write_atomically,
    write_durably,
)
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.harness.storage.manifest import AMISS, BROKEN, read_manifest
from impress_bench.benchmark.harness.storage.register import Register
from impress_bench.benchmark.harness.storage.result import Result, Stored, files_of
from impress_bench.benchmark.machine import MachineError
from impress_bench.benchmark.unfinished import Unfinished

#: The folder of unfinished stages.
UNFINISHED = "unfinished"
#: What a recorded failure says.
_FAILURE = {"state", "reason", "traceback"}


class StoreError(MachineError):
    """The store cannot be written or read; the message names the place and the way out."""


def default_root() -> Path:
    """IMPRESS_BENCH_STORE, or the user's cache folder (XDG Base Directory Specification)."""
    if named := os.environ.get("IMPRESS_BENCH_STORE"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "impress-bench"


class Store:
    """Objects by key. `warn` gets a message per damaged object. `run` marks the objects that the
    processes of one run make."""

    def __init__(
        self,
        root: Path,
        warn: Callable[[str], None] = lambda message: None,
        run: str | None = None,
    ) -> None:
        self.root = root
        self.run = run
        self.warn = warn
        self._warned: set[str] = set()
        with self._writing():
            for name in ("objects", "failures", "locks", "tmp"):
                (root / name).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def entered(self, preset: str, out: Path, keys: Collection[str]) -> Iterator[None]:
        """While the block lasts, keep the objects that this run uses; afterwards they count as used
        by it. Raises StoreError."""
        with ExitStack() as stack:
            with self._writing():
                register = Register(self.root)
                stack.enter_context(register.entered(str(self.run), preset, out, keys))
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise StoreError for a full disk or a read-only folder, which fails the run and not one
        stage."""
        try:
            yield
        except NoLocksError as error:
            raise StoreError(
                f"store {self.root}: its file system does not lock files ({error.strerror}), and"
                " runs need locks. Mount it with them (NFS: version 4, or lockd and no option"
                " `nolock`), or name a store on a local disk with --store"
            ) from error
        except OSError as error:
            place = error.filename or self.root
            raise StoreError(
                f"store {self.root}: {error.strerror or error} ({place}). What is stored stays; "
                "make room or name another store with --store, and run the same command again"
            ) from error

    def path(self, key: str) -> Path:
        return self.root / "objects" / key[:2] / key

    def holds(self, key: str) -> bool:
        """Whether there is an object, which may be damaged: it is not read."""
        return (self.path(key) / "manifest.json").is_file()

    def held(self, keys: Collection[str]) -> set[str]:
        """The keys of which `holds` is true. Lists folders instead of looking up every key."""
        present: set[str] = set()
        for group in os.scandir(self.root / "objects"):
            if group.is_dir():
                present.update(key for key in os.listdir(group.path) if key in keys)
        return {key for key in present if self.holds(key)}

    def find(self, key: str) -> Stored | None:
        """The object under `key`, or None if there is none or it is damaged. Raises StoreError if
        it cannot be read, for then it may be sound."""
        folder = self.path(key)
        try:
            manifest = read_manifest(folder)
            files = {name: (folder / name).read_bytes() for name in manifest["files"]}
            for name, data in files.items():
                if sha256(data) != manifest["files"][name]:
                    raise ValueError(f"{name} is not what was written")
            stored = Stored(manifest, files)
            _ = stored.seconds, stored.peak_bytes, stored.passes
        except BROKEN as error:
            if isinstance(error, OSError):
                if error.errno not in AMISS:
                    raise self._unreadable(folder, error) from error
                if not folder.is_dir():
                    return None
            if key not in self._warned:
                self._warned.add(key)
                self.warn(f"damaged {key}: {error}; it is made again")
            return None
        return stored

    def _unreadable(self, folder: Path, error: OSError) -> StoreError:
        """A disk that fails for a moment, or an object of a user who lets nobody else read it."""
        way_out = "see to the disk"
        if isinstance(error, PermissionError):
            way_out = "have its owner let you read it, or name another store with --store"
        return StoreError(
            f"store {self.root}: {error.strerror or error} ({error.filename or folder}). What is"
            f" stored stays, and is not made again while it may be sound; {way_out}, and run the"
            " same command again"
        )

    def get(self, key: str) -> Result | None:
        """The result under `key`, or None. Raises StoreError as `find` does."""
        stored = self.find(key)
        return None if stored is None else stored.result()

    def put(
        self,
        key: str,
        inputs: Mapping[str, Any],
        result: Result,
        seconds: float,
        passes: Mapping[str, int] | None = None,
        peak_bytes: int | None = None,
    ) -> None:
        """Store a result, unless there is an undamaged one. `seconds`, `passes` and `peak_bytes`
        (None: not measured) are what it cost. Raises StoreError."""
        files = files_of(result)
        manifest = {
            "inputs": inputs,
            "files": {name: sha256(data) for name, data in sorted(files.items())},
            "seconds": seconds,
            "passes": dict(passes or {}),
            "run": self.run,
        }
        if peak_bytes is not None:
            manifest["peak_bytes"] = peak_bytes
        with self._writing():
            self._put(key, files, manifest)

    def _put(self, key: str, files: dict[str, bytes], manifest: Mapping[str, Any]) -> None:
        files["manifest.json"] = json.dumps(manifest, indent=1, sort_keys=True).encode()
        temporary = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=self.root / "tmp"))
        try:
            for name, data in files.items():
                (temporary / name).parent.mkdir(exist_ok=True)
                write_durably(temporary / name, data)
            for folder in (*(path for path in temporary.iterdir() if path.is_dir()), temporary):
                sync_folder(folder)
            temporary.chmod(0o755)
            self._make_group(self.path(key).parent)
            if self.find(key) is None:
                self.discard(key)
                self._publish(temporary, key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)
        self.unfinished(key).discard()

    def unfinished(self, key: str, taken: Callable[[], Mapping[str, int]] = dict) -> Unfinished:
        """Where the stage of `key` keeps its state until its result is put; `taken` as there."""
        return Unfinished(self.root / UNFINISHED / key, taken=taken)

    def _make_group(self, folder: Path) -> None:
        """The folder of all keys that begin alike. A new one must be on the disk before what is in
        it counts as stored."""
        with suppress(FileExistsError):
            folder.mkdir()
            sync_folder(folder.parent)

    def _publish(self, temporary: Path, key: str) -> None:
        """Rename into place; if another process was first, its object stays."""
        target = self.path(key)
        try:
            temporary.rename(target)
        except OSError:
            if self.find(key) is None:
                raise
        sync_folder(target.parent)

    def discard(self, key: str) -> None:
        """Remove a damaged object."""
        shutil.rmtree(self.path(key), ignore_errors=True)

    def fail(self, key: str, inputs: Mapping[str, Any], failure: Mapping[str, Any]) -> None:
        """Record why a stage failed, for the user and the other processes of this run."""
        document = json.dumps(
            {**failure, "inputs": inputs, "run": self.run}, indent=1, sort_keys=True
        )
        with self._writing():
            write_atomically(self.root / "failures" / f"{key}.json", document.encode())

    def failure(self, key: str) -> Mapping[str, Any] | None:
        """Why a stage failed in this run, or None; a later run tries again."""
        path = self.root / "failures" / f"{key}.json"
        try:
            recorded: Any = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(recorded, dict) or not recorded.keys() >= _FAILURE:
            return None
        return recorded if self.run is not None and recorded.get("run") == self.run else None

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Yields True while this process holds the lock of `key`, False at once if another does.
        The system frees the lock of a killed process. Raises StoreError."""
        path = self.root / "locks" / key
        with self._writing():
            file = path.open("w")
        with file:
            with self._writing():
                mine = take_lock(file)
            if not mine:
                yield False
                return
            for leftover in (self.root / "tmp").glob(f"{key}.*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield True
            if self.holds(key):
                path.unlink(missing_ok=True)
