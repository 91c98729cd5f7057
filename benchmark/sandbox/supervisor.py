"""The process between the benchmark and a command that nobody here has read.

It is started as a script, imports the standard library alone, and is told what to do by a line of
JSON on its input (`confine` writes it), which then stays open for as long as its parent lives. On
Linux it gives the command namespaces of its own: no network, its own processes alone, one writable
folder, nothing else of what is hidden. It ends the command at its limits of time and memory, and
whatever the command has started with it, also when its own parent dies. It polls the memory; where
its parent has made a control group, the command is put there, so that the kernel holds the limit
between two looks. How it all ended goes to a pipe as one line of JSON. It is one file, since the
isolated interpreter that runs it by its path (`-I -S`) finds no module beside it, however the
package is installed.

Where namespaces are not allowed it adopts what the command leaves behind and kills that at the end;
the line says what is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

POLL_S = 0.05
#: The user of nobody in particular, who owns no file.
NOBODY = 65534
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV = 16384, 1 << 18, 2, 4
#: Since Linux 5.2 and 5.12, the same on every architecture.
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_RECURSIVE, RDONLY = -100, 0x8000, 1
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_CAPBSET_DROP = 1, 36, 24
PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS = 38, 28
#: A user of number 0 keeps no capabilities, and nothing gives them back.
NOROOT_LOCKED = 0b101111


class Attributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def libc() -> Any:
    """The C library, with errno."""
    return ctypes.CDLL(None, use_errno=True)


def check(code: int, what: str) -> int:
    """Raise OSError where a call failed."""
    if code < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return code


def main() -> None:
    """Do what the line says; the exit code says nothing."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 2**16)
        if not part:
            os._exit(1)
        line += part
    told = json.loads(line)
    report = told["report"]
    open_group(told)
    missing: list[str] = []
    apart = False
    if told["namespaces"]:
        try:
            apart = enter_namespaces(told["network"])
        except OSError as error:
            missing.append(f"namespaces ({error})")
        else:
            missing += [] if apart else ["namespaces (Linux has them)"]
    if not apart:
        document = supervise(told, missing)
        leave_nothing(told)
        os.write(report, json.dumps(document).encode())
        os._exit(0)
    child = os.fork()
    if child == 0:  # the first process of its namespace: with it, all others end
        libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            set_up_files(told)
        except OSError as error:
            missing.append(f"files ({error})")
        document = supervise(told, missing)
        os.write(report, json.dumps(document).encode())
        os._exit(0)
    os.close(report)
    while True:
        done, _ = os.waitpid(child, os.WNOHANG)
        if done:
            leave_nothing(told)
            os._exit(0)
        if parent_is_gone():
            os.kill(child, signal.SIGKILL)
        time.sleep(POLL_S)


def open_group(told: dict[str, Any]) -> None:
    """Open the files of the command's control group, and the folder in which it lies, while they
    can be written. What is not there is done without: polling holds the limit too."""
    group = told["group"]
    files = {
        "entrance": (f"{group}/cgroup.procs", os.O_WRONLY),
        "events": (f"{group}/memory.events", os.O_RDONLY),
        "above": (os.path.dirname(group or ""), os.O_RDONLY | os.O_DIRECTORY),
    }
    for key, (path, flags) in files.items():
        told[key] = -1
        if group:
            with contextlib.suppress(OSError):
                told[key] = os.open(path, flags)


def has_outgrown(told: dict[str, Any]) -> bool:
    """Whether the kernel has ended what is in the control group, for its memory."""
    if told["events"] < 0:
        return False
    lines = os.pread(told["events"], 2**12, 0).decode().splitlines()
    counts = dict(line.split() for line in lines)
    return int(counts.get("oom_kill", 0)) > 0


def leave_nothing(told: dict[str, Any]) -> None:
    """Remove the control group, now empty; the parent does so too, but may be gone. By its path it
    is read-only by now."""
    if told["above"] >= 0:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.basename(told["group"]), dir_fd=told["above"])


def parent_is_gone() -> bool:
    """The parent holds the other end of our input and writes nothing to it."""
    ready, _, _ = select.select([0], [], [], 0)
    return bool(ready) and not os.read(0, 1)


def enter_namespaces(network: bool) -> bool:
    """Own namespaces for what is forked next. Raises OSError; False on other systems."""
    if not sys.platform.startswith("linux"):
        return False
    flags = NEWNS | NEWPID | NEWIPC | (0 if network else NEWNET)
    user, group = os.getuid(), os.getgid()
    if user != 0:
        flags |= NEWUSER
    check(libc().unshare(flags), "unshare")
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def set_up_files(told: dict[str, Any]) -> None:
    """Everything read-only but the writable folders, nothing of the hidden ones but the shown."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    writable = [path for path in told["writable"] if os.path.isdir(path)]
    shown = [path for path in told["shown"] if os.path.exists(path)]
    trees = {path: open_tree(path) for path in [*shown, *writable]}
    set_attributes("/", RDONLY, 0)
    hidden = [path for path in told["hidden"] if os.path.isdir(path)]
    for path in hidden:
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")
    for path, tree in trees.items():
        if any(path == above or path.startswith(f"{above}/") for above in hidden):
            os.makedirs(path, exist_ok=True)
        attach(tree, path)
        set_attributes(path, *((0, RDONLY) if path in writable else (RDONLY, 0)))
    for path in hidden:
        set_attributes(path, RDONLY, 0, recursive=False)
    if os.path.isdir("/dev/shm"):
        size = int(told["memory_bytes"] or 2**30)
        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},mode=1777")
    os.chdir(told["folder"])


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    words = [None if text is None else text.encode() for text in (source, target, kind)]
    check(libc().mount(*words, flags, data.encode() or None), f"mount {target}")


def open_tree(path: str) -> int:
    """A detached copy of what is mounted at a path."""
    flags = 1 | os.O_CLOEXEC | AT_RECURSIVE
    return check(
        libc().syscall(OPEN_TREE, AT_FDCWD, path.encode(), ctypes.c_uint(flags)),
        f"open_tree {path}",
    )


def attach(tree: int, path: str) -> None:
    """Mount a detached copy."""
    code = libc().syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, path.encode(), ctypes.c_uint(4))
    check(code, f"move_mount {path}")


def set_attributes(path: str, given: int, cleared: int, recursive: bool = True) -> None:
    """mount_setattr(2)."""
    attributes = Attributes(given, cleared, 0, 0)
    code = libc().syscall(
        MOUNT_SETATTR, AT_FDCWD, path.encode(), ctypes.c_uint(AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)),
    )  # fmt: skip
    check(code, f"mount_setattr {path}")


def supervise(told: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """Run the command to its end or to a limit; all that it has started ends with it."""
    alone = os.getpid() == 1
    if not alone and sys.platform.startswith("linux"):
        libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    document: dict[str, Any] = {"ended": "exit", "code": None, "peak_bytes": 0, "missing": missing}
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        become(told, alone)
    limit, memory, polls = told["seconds"], told["memory_bytes"], 0
    while True:
        polls += 1
        done, status, peak = reap(child)
        if done:
            document["code"] = os.waitstatus_to_exitcode(status)
            document["peak_bytes"] = max(document["peak_bytes"], peak)
            if has_outgrown(told):
                document["ended"] = "memory"
            break
        used = used_memory(child, alone)
        document["peak_bytes"] = max(document["peak_bytes"], used)
        if memory and (used > memory or has_outgrown(told)):
            document["ended"] = "memory"
        elif polls % 20 == 0 and used_disk(told["folder"]) > told["disk_bytes"]:
            document["ended"] = "disk"
        elif limit and time.monotonic() - started > limit:
            document["ended"] = "time"
        elif parent_is_gone():
            document["ended"] = "parent"
        if document["ended"] != "exit":
            break
        time.sleep(POLL_S)
    if not alone:  # else the system ends them with this process
        kill_all(child)
    return document


def become(told: dict[str, Any], alone: bool) -> None:
    """In the child: rights, limits and environment of the command, then the command."""
    os.close(told["report"])
    if told["entrance"] >= 0:
        with contextlib.suppress(OSError):
            os.write(told["entrance"], b"0")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.setsid()
    if sys.platform.startswith("linux"):
        library = libc()
        if not alone:
            library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if told["namespaces"]:
            give_up_rights(library, told)
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: told["file_bytes"]}
    if told["memory_bytes"]:
        limits[resource.RLIMIT_DATA] = told["memory_bytes"]
    for kind, size in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (size, size))
    words = told["words"]
    try:
        os.execvpe(words[0], words, told["environment"])
    except OSError as error:
        os.write(2, f"{words[0]} cannot be run: {error.strerror}\n".encode())
    os._exit(127)


def give_up_rights(library: Any, told: dict[str, Any]) -> None:
    """No capability, now or by any program; another user where that one can read the code."""
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    another = told["another_user"] and all(is_open(path) for path in told["needed"])
    if os.getuid() == 0 and another:
        for path in told["writable"]:
            os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return
    library.prctl(PR_SET_SECUREBITS, NOROOT_LOCKED, 0, 0, 0)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    library.capset(ctypes.byref(header), ctypes.byref(sets))


def is_open(path: str) -> bool:
    """Whether anybody may read what is at a path, and come there."""
    try:
        wanted = stat.S_IROTH | (stat.S_IXOTH if os.path.isdir(path) else 0)
        if os.stat(path).st_mode & wanted != wanted:
            return False
        for place in (os.path.abspath(path), os.path.realpath(path)):
            while place != "/":
                place = os.path.dirname(place)
                if not os.stat(place).st_mode & stat.S_IXOTH:
                    return False
    except OSError:
        return False
    return True


def reap(child: int) -> tuple[bool, int, int]:
    """Whether the command has ended, how, and the most memory that it held, which the system knows
    however short that was; others that ended are let go."""
    while True:
        try:
            done, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return True, 0, 0
        if done == child:  # told in KiB, but on macOS in bytes
            unit = 1 if sys.platform == "darwin" else 1024
            return True, status, usage.ru_maxrss * unit
        if done == 0:
            return False, 0, 0


def family(root: int, alone: bool) -> list[int]:
    """All processes that the command has started; its whole namespace where it has one."""
    parents: dict[int, int] = {}
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return [root]
    for number in numbers:
        try:
            with open(f"/proc/{number}/stat", "rb") as file:
                parents[number] = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    me = os.getpid()
    if alone:
        return [number for number in parents if number != me]
    found: set[int] = set()
    pending = [number for number, parent in parents.items() if parent == me]
    while pending:
        number = pending.pop()
        if number not in found:
            found.add(number)
            pending += [other for other, parent in parents.items() if parent == number]
    return sorted(found)


def used_memory(root: int, alone: bool) -> int:
    """Bytes that the processes hold together: resident memory, what is shared counted once, and
    files that lie in memory without being mapped."""
    members = family(root, alone)
    if len(members) > 1:  # pages that forked processes share count once
        resident = sum(map(proportional_memory, members))
    else:
        resident = sum(number_of(f"/proc/{one}/status", b"VmHWM:") for one in members)
    return resident + unmapped(members) + (shared_files() if alone else 0)


def proportional_memory(member: int) -> int:
    """A process's resident memory, of shared pages its part; all of them on systems that do not
    tell. Nothing of one that has ended meanwhile."""
    told = number_of(f"/proc/{member}/smaps_rollup", b"Pss:")
    return told or number_of(f"/proc/{member}/status", b"VmRSS:")


def used_disk(folder: str) -> int:
    """Bytes of the files in a folder."""
    total = 0
    for above, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(above, name)).st_blocks * 512
    return total


def number_of(path: str, name: bytes) -> int:
    """A line of a file in /proc, in bytes."""
    try:
        with open(path, "rb") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def unmapped(members: list[int]) -> int:
    """Blocks of files that exist as open descriptors alone (memfd)."""
    found: dict[tuple[int, int], int] = {}
    for member in members:
        folder = f"/proc/{member}/fd"
        try:
            for name in os.listdir(folder):
                if os.readlink(f"{folder}/{name}").startswith("/memfd:"):
                    told = os.stat(f"{folder}/{name}")
                    found[told.st_dev, told.st_ino] = told.st_blocks * 512
        except OSError:
            continue
    return sum(found.values())


def shared_files() -> int:
    """Bytes in the command's own /dev/shm."""
    try:
        told = os.statvfs("/dev/shm")
    except OSError:
        return 0
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def kill_all(root: int) -> None:
    """End everything that the command has started, also what has left its session."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        members = family(root, False)
        for member in members:
            try:
                os.kill(member, signal.SIGKILL)
            except OSError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main()
