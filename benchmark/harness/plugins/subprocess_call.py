"""A function in a process of its own, within a time and a memory limit.

For code that nobody here has read: whatever it does to its process, this one goes on. It guards
against accidents, not against malice: such code still reads and writes what its user may.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.preset import Preset

CALL, FAILURE = "call.pickle", "failure.json"


@dataclass(frozen=True)
class Limits:
    """Of one call: seconds of wall time and GiB of memory."""

    time_s: float
    memory_gb: float

    @classmethod
    def of(cls, preset: Preset) -> Limits:
        """Those of a preset; where it says nothing, an hour, and three quarters of the machine's
        memory among as many processes as have cores for the preset's threads."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        processes = max(1, (os.cpu_count() or 1) // preset.threads)
        share = 0.75 * machine / processes
        return cls(preset.time_limit_s or 3600.0, preset.memory_limit_gb or share)


@contextmanager
def call_apart(
    plugin: str, function: Callable[[Any, Path], None], argument: Any, limits: Limits
) -> Iterator[Path]:
    """The folder into which `function(argument, folder)` wrote its results, while the block lasts.

    The function is one of a module, found by its name. Its ConfigError or PluginError is raised
    here too; a process that does not end by itself raises PluginError in the name of `plugin`.
    """
    from impress_bench.benchmark.external import run_limited

    with tempfile.TemporaryDirectory(prefix="impress-bench-") as scratch:
        folder = Path(scratch)
        (folder / CALL).write_bytes(pickle.dumps((list(sys.path), function, argument)))
        words = [sys.executable, "-m", __name__, scratch]
        run_limited(plugin, words, folder, limits.time_s, limits.memory_gb, stdin=subprocess.PIPE)
        if (folder / FAILURE).is_file():
            raise _failure(json.loads((folder / FAILURE).read_bytes()))
        yield folder


def _failure(told: dict[str, str]) -> Exception:
    """What the other process raised, with its traceback as a note."""
    if told["kind"] == "ConfigError":
        return ConfigError(told["message"])
    error = PluginError(told["plugin"], told["message"], State(told["state"]))
    error.add_note(told["traceback"])
    return error


def _told(error: ConfigError | PluginError) -> dict[str, str]:
    told = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, PluginError):
        told |= {
            "kind": "PluginError",
            "plugin": error.plugin,
            "message": str(error).removeprefix(f"{error.plugin}: "),
            "state": error.state,
            "traceback": "".join(traceback.format_exception(error)),
        }
    return told


def _end_with_parent() -> None:
    """The parent holds the other end of our input: however it ends, this does too."""
    sys.stdin.read()
    os._exit(1)


def main(scratch: str) -> None:
    """The other process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(scratch)
    path, function, argument = pickle.loads((folder / CALL).read_bytes())
    sys.path[:] = path
    try:
        function(argument, folder)
    except (ConfigError, PluginError) as error:
        (folder / FAILURE).write_text(json.dumps(_told(error)))


if __name__ == "__main__":
    main(*sys.argv[1:])
