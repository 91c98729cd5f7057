"""Further processes of a run: each settles what stages of the plan nobody else works on.

They share nothing but the store, so that one that dies costs the stage it was at. What they make,
and why something failed, they leave there for the process that asked, which reports it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.execution.local import LocalExecutor
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.planning.planner import plan_run
from impress_bench.benchmark.harness.storage.store import Store


def default_workers(preset: Preset) -> int:
    """A process a GPU where the preset wants one, else as many as have cores for their threads."""
    if preset.device == "cuda":
        return max(1, len(gpus()))
    return max(1, (os.cpu_count() or 1) // preset.threads)


def gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return list(filter(None, named.split(",")))
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


class Helpers:
    """The further processes; `complaints` tells of those that ended before their time."""

    def __init__(self) -> None:
        self._processes: list[tuple[subprocess.Popen[str], IO[str]]] = []

    def start(self, preset: Preset, root: Path, run: str, gpu: str | None = None) -> None:
        """Start one more, which sees no other GPU than `gpu`."""
        environment = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        # Open for as long as the process is.
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(root), run],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            start_new_session=True,  # an interrupt is ours to handle
            env={**os.environ, **environment},
        )
        assert process.stdin is not None
        process.stdin.write(preset.model_dump_json() + "\n")
        process.stdin.flush()
        self._processes.append((process, errors))

    def complaints(self) -> list[str]:
        """The last words of those that failed."""
        found = []
        for process, errors in self._processes:
            if process.poll():
                errors.seek(0)
                found.append(f"a worker stopped: {(errors.read().strip() or '?').splitlines()[-1]}")
        return found

    def stop(self) -> None:
        """End them; what they were at is lost."""
        for process, errors in self._processes:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
            errors.close()


@contextmanager
def helpers(preset: Preset, root: Path, run: str, count: int) -> Iterator[Helpers]:
    """`count` further processes for as long as the block lasts; on GPUs they take turns in having
    one each, from the second on, since the first is what the run's own process works on."""
    group = Helpers()
    found = gpus() if preset.device == "cuda" and count > 0 else []
    try:
        for index in range(1, count + 1):
            group.start(preset, root, run, found[index % len(found)] if found else None)
        yield group
    finally:
        group.stop()


def _end_with_parent() -> None:
    """The parent holds the other end of our input: however it ends, this does too."""
    sys.stdin.read()
    os._exit(1)


def main(root: str, run: str) -> None:
    """One helper: the preset comes on the first line of the input."""
    preset = Preset.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    plan = plan_run(preset, Path(root))
    store = Store(Path(root), run=run)
    LocalExecutor(store, Reporter(), lambda line: None).run(plan)


if __name__ == "__main__":
    main(*sys.argv[1:])
