"""`python -c …` in processes of their own, of which none has to import torch and diffusers again.

Importing them takes a process ten seconds, and tests start hundreds. One process (`Forks`) imports
what commands do, executes nothing, and forks for each of them. A fork has the arguments, the
environment, the folder, the pipes and the signals that a new interpreter would be given, and ends
as one does. That what is imported is known already, what an interpreter reads when it starts
(PYTHONHASHSEED, …), and that files are not waited for (fsync), are the differences: tests of the
second start interpreters. So does everything on macOS, whose libraries do not bear a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Where libraries may be used after a fork.
FORKING = sys.platform == "linux"
#: What imports and forks.
SERVER = Path(__file__).with_name("fork_server.py")


class Forked:
    """One command. It has what tests use of a `subprocess.Popen` whose output is text in pipes."""

    def __init__(self, ask: Callable[[Sequence[int]], None], told: Mapping[str, Any]) -> None:
        order = json.dumps(told).encode()  # fails, if at all, before anybody waits for it
        pipes = [os.pipe(), os.pipe()]
        ours, theirs = socket.socketpair()
        ask([theirs.fileno(), *(end for _, end in pipes)])
        theirs.close()
        for _, end in pipes:
            os.close(end)
        ours.sendall(order)
        ours.shutdown(socket.SHUT_WR)
        self._answers = ours.makefile("rb", buffering=0)
        self.stdout, self.stderr = (os.fdopen(end) for end, _ in pipes)
        self.returncode: int | None = None
        self.pid = int(self._answers.readline())

    def poll(self, seconds: float | None = 0) -> int | None:
        """The exit code, or None if the command has not ended within so many seconds."""
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once the command has ended. Raises TimeoutExpired."""
        code = self.poll(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where the command has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it writes to its end. Raises TimeoutExpired, with the command killed."""
        said = ["", ""]

        def read(at: int, stream: Any) -> None:
            with stream:
                said[at] = stream.read()

        streams = enumerate((self.stdout, self.stderr))
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in streams]
        for reader in readers:
            reader.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        for reader in readers:
            reader.join()
        return said[0], said[1]


class Forks:
    """The process that has imported everything and forks."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._lock = threading.Lock()
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], env={**environment, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def start(
        self,
        code: str,
        arguments: Sequence[object],
        folder: Path,
        environment: Mapping[str, str],
        ignored: Sequence[int] = (),
    ) -> Forked:
        """`python -c CODE ARGUMENTS` in `folder`, with some signals `ignored`."""
        told = {
            "code": code,
            "words": ["-c", *map(str, arguments)],
            "folder": str(folder),
            "environment": dict(environment),
            "ignored": list(map(int, ignored)),
        }
        return Forked(self._ask, told)

    def run(
        self,
        code: str,
        arguments: Sequence[object],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """The same to its end; with this process's own environment if none is given."""
        whole = dict(os.environ) if environment is None else environment
        if not FORKING:
            words = [sys.executable, "-c", code, *map(str, arguments)]
            return subprocess.run(
                words, cwd=folder, env=whole, capture_output=True, text=True, timeout=timeout
            )
        command = self.start(code, arguments, folder, whole)
        output, errors = command.communicate(timeout)
        return subprocess.CompletedProcess(arguments, command.wait(), output, errors)

    def _ask(self, ends: Sequence[int]) -> None:
        with self._lock:
            socket.send_fds(self._ours, [b"?"], ends)

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self._process.wait()


@contextlib.contextmanager
def forking() -> Iterator[Forks]:
    """The process, for as long as the block lasts."""
    forks = Forks()
    try:
        yield forks
    finally:
        forks.close()
