"""The process behind `forks`: `python fork_server.py SOCKET` imports what commands do, and forks.

An order on the socket is a byte with three descriptors: a socket from which the order is read, and
which tells the fork's number and its exit code; the fork's stdout; its stderr.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

IMPORTED = (
    "torch", "lpips", "pandas", "pyarrow.parquet", "matplotlib.backends.backend_agg",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "impress_bench.benchmark.cli", "impress_bench.benchmark.harness.runs.run",
)  # fmt: skip


def serve(control: socket.socket) -> str:
    """Fork whenever asked to. Returns the code to run in each fork, and nothing at the end."""
    running: dict[int, socket.socket] = {}

    def reap(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with running.pop(ended[0]) as answers, contextlib.suppress(OSError):
                    answers.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended[1]))

    signal.signal(signal.SIGCHLD, reap)
    while (message := socket.recv_fds(control, 1, 3))[0]:
        answers, streams = socket.socket(fileno=message[1][0]), message[1][1:]
        with answers.makefile("rb") as asked:
            told = json.loads(asked.read())
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        child = os.fork()
        if child == 0:
            for each in (control, answers, *running.values()):
                each.close()
            become(told, streams)
            return str(told["code"])
        for end in streams:
            os.close(end)
        running[child] = answers
        answers.sendall(b"%d\n" % child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    return ""


def become(told: Mapping[str, Any], streams: Sequence[int]) -> None:
    """In the fork: what a new interpreter would have found."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in told["ignored"] else default)
    for at, end in enumerate(streams, 1):
        os.dup2(end, at)
        os.close(end)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    tempfile.tempdir = None
    path = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:1], sys.argv = ["", *path], told["words"]


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(module)
    os.fsync = lambda handle: None  # nothing need survive a power failure, and disks are slow
    gc.collect()
    gc.freeze()
    exec(serve(socket.socket(fileno=int(sys.argv[1]))), {"__name__": "__main__"})
