"""Calls a function in a process of its own, within a time and a memory limit.

For third-party code: whatever it does to its process, this one goes on. A guard against accidents,
not against malice: such code still reads and writes what its user may.
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
    """Limits of one call: seconds of wall time, and GiB of memory."""

    time_s: float
    memory_gb: float

    @classmethod
    def of(cls, preset: Preset) -> Limits:
        """Those of a preset; by default an hour, and three quarters of the machine's memory divided
        by the number of worker processes, one per `preset.threads` cores."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        processes = max(1, (os.cpu_count() or 1) // preset.threads)
        share = 0.75 * machine / processes
        return cls(preset.time_limit_s or 3600.0, preset.memory_limit_gb or share)


@contextmanager
def call_in_subprocess(
    plugin: str, function: Callable[[Any, Path], None], argument: Any, limits: Limits
) -> Iterator[Path]:
    """The folder into which `function(argument, folder)` wrote its results, while the block lasts.

    `function` must be importable by its name. Its ConfigError or PluginError is raised here too.
    Raises PluginError in the name of `plugin` if the process crashes or exceeds its limits.
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


def _failure(document: dict[str, str]) -> Exception:
    """The error that the other process raised, with its traceback as a note."""
    if document["kind"] == "ConfigError":
        return ConfigError(document["message"])
    error = PluginError(document["plugin"], document["message"], State(document["state"]))
    error.add_note(document["traceback"])
    return error


def _document(error: ConfigError | PluginError) -> dict[str, str]:
    document = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, PluginError):
        document |= {
            "kind": "PluginError",
            "plugin": error.plugin,
            "message": str(error).removeprefix(f"{error.plugin}: "),
            "state": error.state,
            "traceback": "".join(traceback.format_exception(error)),
        }
    return document


def _end_with_parent() -> None:
    """Exit when the parent does, however it ends: it holds the other end of our input."""
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
        (folder / FAILURE).write_text(json.dumps(_document(error)))


if __name__ == "__main__":
    main(*sys.argv[1:])
