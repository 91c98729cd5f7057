"""Run a command under the supervisor and say how it ended."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.sandbox.memory_group import limited_group

SUPERVISOR = Path(__file__).with_name("supervisor.py")
#: How large a file may grow that a command writes, by default, in GiB: what it prints is one, and
#: nobody looks at that while it runs.
OUTPUT_GB = 1.0
#: Bytes of all files in its scratch folder.
DISK_BYTES = 4 * 2**30
#: How much of what a command prints is read when it fails.
TAIL = 2000
#: Seconds after its limit at which a supervisor that says nothing is ended.
GRACE_S = 15.0
#: What of the environment a confined command sees. No tokens, no addresses of services.
PASSED = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUDA_HOME",
    "CUBLAS_WORKSPACE_CONFIG", "ATEN_CPU_CAPABILITY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
)  # fmt: skip
#: What else a command needs that fetches packages.
FETCHING = ("PIP_FIND_LINKS", "PIP_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
#: Folders of a home in which programs keep what lets them in.
SECRETS = (".ssh", ".gnupg", ".aws", ".azure", ".config", ".docker", ".kube", ".netrc.d")


@dataclass(frozen=True)
class Walls:
    """What a confined command cannot reach.

    `hidden` folders are empty to it but for what is `shown`; it writes to its scratch folder and to
    `writable` alone. `needed` must be readable to anybody, or the command runs as this user, with
    no rights beyond those of a file's owner; so it does without `another_user`, which files that it
    changes may belong to. With `network`, it has one.
    """

    hidden: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    needed: tuple[Path, ...] = ()
    network: bool = False
    another_user: bool = True


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code, the most memory that all its processes held together, and
    which walls the system does not allow."""

    code: int
    peak_bytes: int
    missing: list[str] = field(default_factory=list)


def missing_walls() -> list[str]:
    """What this system does not allow; empty where commands are confined as they should be."""
    with scratch_folder() as scratch:
        return run_confined("sandbox", ["true"], scratch, 60.0, None, Walls()).missing


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of one call's own; those of other calls lie beside it, under one that is hidden."""
    above = Path(tempfile.gettempdir()) / f"impress-bench-{os.getuid()}"
    above.mkdir(mode=0o711, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above, ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


def confined_environment(scratch: Path) -> dict[str, str]:
    """Environment variables of a confined command: its home is its scratch folder."""
    kept = {name: os.environ[name] for name in PASSED if name in os.environ}
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    return {
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": hub_cache(),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def hub_cache() -> str:
    """The folder of downloaded models; the token lies elsewhere."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return named
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return str(Path(home) / "hub")


def secrets() -> tuple[Path, ...]:
    """Folders that no stranger's code needs to see."""
    return tuple(Path.home() / name for name in SECRETS)


def run_confined(
    plugin: str,
    words: Sequence[str],
    scratch: Path,
    seconds: float | None,
    memory_gb: float | None,
    walls: Walls | None = None,
    environment: Mapping[str, str] | None = None,
    output_gb: float = OUTPUT_GB,
) -> Ending:
    """Run a command to its end, in `scratch`; what it prints goes to a file there.

    Without `walls` it has this process's environment, files and network, and is ended as a whole at
    its limits all the same. Raises PluginError in the name of `plugin` for any end but its own:
    at a limit, with the state `timeout` or `failed`.
    """
    printed, called = scratch / "printed", Path(words[0]).name
    bounds = walls or Walls()
    if walls is not None:
        environment = {**confined_environment(scratch), **(environment or {})}
    memory_bytes = None if memory_gb is None else int(memory_gb * 2**30)
    told = {
        "words": list(words),
        "environment": dict(os.environ if environment is None else environment),
        "folder": str(scratch),
        "seconds": seconds,
        "memory_bytes": memory_bytes,
        "file_bytes": int(output_gb * 2**30),
        "disk_bytes": max(DISK_BYTES, int(4 * output_gb * 2**30)),
        "namespaces": walls is not None,
        "network": bounds.network,
        "writable": [str(path.resolve()) for path in (scratch, *bounds.writable)],
        "hidden": [str(path.resolve()) for path in (scratch.parent, *bounds.hidden)],
        "shown": [str(path.resolve()) for path in bounds.shown],
        "another_user": bounds.another_user,
        "needed": [str(path) for path in (shutil.which(words[0]) or words[0], *bounds.needed)],
    }
    with limited_group(memory_bytes) as group, printed.open("wb") as sink:
        document = _supervise({**told, "group": group and str(group)}, sink, scratch, seconds)
    limits = (seconds, memory_gb, output_gb)
    return _ending(plugin, called, printed, document, limits)


def _supervise(
    told: Mapping[str, object], sink: BinaryIO, scratch: Path, seconds: float | None
) -> dict[str, object] | None:
    """What the supervisor says of a command, whose output goes to `sink`."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR)],
            stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.STDOUT,
            pass_fds=[writing], start_new_session=True, cwd=scratch,
            env={"PATH": os.environ.get("PATH", "")},
        )  # fmt: skip
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps({**told, "report": writing}).encode() + b"\n")
            process.stdin.flush()
        os.close(writing)
        writing = -1
        return _wait(process, reading, seconds)
    finally:
        for handle in (reading, writing):
            if handle >= 0:
                os.close(handle)


def _wait(
    process: subprocess.Popen[bytes], report: int, seconds: float | None
) -> dict[str, object] | None:
    """What the supervisor says in the end; None where it was ended itself."""
    try:
        process.wait(None if seconds is None else seconds + GRACE_S)
    except subprocess.TimeoutExpired:
        return {"ended": "time"}
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
    os.set_blocking(report, False)
    with suppress(OSError, ValueError):
        document = json.loads(os.read(report, 2**16))
        return document if isinstance(document, dict) else None
    return None


def _ending(
    plugin: str,
    called: str,
    printed: Path,
    document: Mapping[str, object] | None,
    limits: tuple[float | None, float | None, float],
) -> Ending:
    seconds, memory_gb, output_gb = limits
    if document is None:
        raise PluginError(plugin, f"{called} ended the process that watches over it")
    if document["ended"] == "time":
        raise PluginError(plugin, f"{called} ran past {seconds:g} s", State.TIMEOUT)
    if document["ended"] == "memory":
        raise PluginError(plugin, f"{called} held more than {memory_gb:g} GiB of memory")
    if document["ended"] == "disk":
        raise PluginError(
            plugin, f"{called} filled its scratch folder: too many or too large files"
        )
    code = document["code"]
    if not isinstance(code, int) or document["ended"] != "exit":
        raise PluginError(plugin, f"{called} was ended")
    if code:
        how = f"died by signal {-code}" if code < 0 else f"ended with {code}"
        last = last_line(printed)
        # A command whose own output is full cannot print why it failed.
        full = printed.stat().st_size >= int(output_gb * 2**30)
        if full or code == -signal.SIGXFSZ or os.strerror(errno.EFBIG) in last:
            last += f". A file that a command writes or prints may have {output_gb:g} GiB"
            last += "; exec's parameter output_gb raises that" * plugin.startswith("exec:")
        raise PluginError(plugin, f"{called} {how}: {last}")
    peak, missing = document["peak_bytes"], document["missing"]
    assert isinstance(peak, int)
    assert isinstance(missing, list)
    return Ending(code, peak, missing)


def last_line(path: Path) -> str:
    """The last line of what a command has printed, without what is no text."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        text = file.read().decode("utf-8", "replace")
    lines = "".join(one if one.isprintable() or one == "\n" else " " for one in text).split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it printed nothing"
