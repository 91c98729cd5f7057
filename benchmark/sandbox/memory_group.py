"""A control group (cgroup v2) that holds the memory of a command and of all that it starts.

The kernel counts everything there, shared memory and files in memory included, and ends the whole
group at its limit, however quickly that is reached. It needs a folder of the cgroup tree that this
process may write and whose groups may have a limit of memory; where there is none, the
supervisor's polling is all that holds the limit.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Where a system says which file systems are mounted, and in which groups a process is.
MOUNTS, OWN = Path("/proc/self/mountinfo"), Path("/proc/self/cgroup")
#: The file of a group that holds its limit.
LIMIT = "memory.max"
#: What else a group gets where its kernel has it: no way out into swap, and one end for all.
ALSO = {"memory.swap.max": "0", "memory.oom.group": "1"}
#: Seconds for which a group whose processes are ending is waited for.
PATIENCE_S = 5.0


def held_by() -> str:
    """Who holds a limit of memory on this system, as one is set; for `doctor`."""
    with limited_group(2**30) as group:
        if group is None:
            return "by polling (no cgroup v2 that this user may write)"
        return f"by the kernel (cgroup v2 below {group.parent})"


@contextmanager
def limited_group(limit: int | None, place: Path | None = None) -> Iterator[Path | None]:
    """A group of one call's own, empty as yet, below `place`, by default what this process's own
    group allows; None without a limit, or where there can be none. In the end it is removed, with
    what still runs in it."""
    place = place or find_place()
    group = None if limit is None or place is None else make_group(place, limit)
    try:
        yield group
    finally:
        if group is not None:
            remove_group(group)


def find_place(mounts: Path = MOUNTS, own: Path = OWN) -> Path | None:
    """The closest folder at or above this process's own group whose new groups this process may
    join and may give a limit of memory."""
    try:
        group = own_group(own.read_text(), mounts.read_text())
    except OSError:  # no Linux
        return None
    if group is None:
        return None
    mounted, inner = group
    for folder in (mounted / inner, *(mounted / one for one in inner.parents)):
        if may_hold(folder):
            return folder
    return None


def own_group(groups: str, mounts: str) -> tuple[Path, Path] | None:
    """Where the tree of cgroup v2 is mounted, and this process's group in it, by the system's two
    files."""
    inner = next((line[3:] for line in groups.splitlines() if line.startswith("0::/")), None)
    if inner is None or ".." in Path(inner).parts:  # out of the sight of this process
        return None
    for line in mounts.splitlines():
        described, _, kind = line.partition(" - ")
        words = described.split()
        if kind.split()[:1] != ["cgroup2"] or len(words) < 5:
            continue
        top, mounted = words[3], words[4]  # a part of the tree may be mounted alone
        if Path(inner).is_relative_to(top):
            return Path(mounted), Path(inner).relative_to(top)
    return None


def may_hold(folder: Path) -> bool:
    """Whether this process may make groups in a folder and join them, which have limits of
    memory."""
    try:
        given = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    # To join one, a process must be allowed to move within what lies above both groups.
    return "memory" in given and all(
        os.access(path, os.W_OK) for path in (folder, folder / "cgroup.procs")
    )


def make_group(place: Path, limit: int) -> Path | None:
    """A new group with a limit in bytes; None where the system does not have it after all."""
    try:
        group = Path(tempfile.mkdtemp(prefix="impress-bench-", dir=place))
    except OSError:
        return None
    try:
        _write(group / LIMIT, str(limit))
    except OSError:
        remove_group(group)
        return None
    for name, value in ALSO.items():
        with suppress(OSError):
            _write(group / name, value)
    return group


def remove_group(group: Path, patience_s: float = PATIENCE_S) -> None:
    """End what runs in a group and remove it; one that is gone already is fine."""
    with suppress(OSError):
        _write(group / "cgroup.kill", "1")
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:  # its processes are still ending
            if time.monotonic() > deadline:
                return None
        time.sleep(0.01)


def _write(path: Path, value: str) -> None:
    """Write to a file that the kernel made; none is made here."""
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, value.encode())
    finally:
        os.close(handle)
