"""Atomic and durable writes, and file locks that end with their process."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from pathlib import Path
from typing import IO
from weakref import WeakSet

from impress_bench.benchmark.errors import ConfigError

#: What `flock` says on file systems that are mounted without locks, as NFS may be.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_locks: WeakSet[IO[str]] = WeakSet()
# A lock lasts as long as any copy of its open file. A forked child of a plugin closes its copy, or
# the stage of a process that dies would stay locked for as long as the child lives.
os.register_at_fork(after_in_child=lambda: [file.close() for file in _locks])


def make_folder(path: Path, flag: str) -> Path:
    """The folder, made if there is none. Raises ConfigError, which names `flag`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{flag}: cannot make the folder {path}: {error.strerror}") from None
    return path


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that readers see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, for processes that write the same file, and short: names may be no longer
    # than the file system allows.
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        write_durably(temporary, data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames and new files inside a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class NoLocksError(OSError):
    """The file system does not lock files."""


def take_lock(file: IO[str], wait: bool = False) -> bool:
    """Lock an open file until it is closed or the process ends. False, at once unless it is to
    `wait`, if another process holds the lock. Raises NoLocksError where there are no locks."""
    _locks.add(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror, file.name) from None
        raise
    return True
