"""Worker processes of a run: each performs the stages of the plan that no other one holds.

They share nothing but the store, so that a worker that dies costs the stage it was at. Results and
reasons of failures are left in the store for the run's own process, which reports them.
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
    """One process per GPU if the preset runs on GPUs, else one per `preset.threads` cores."""
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


class Workers:
    """The worker processes of a run."""

    def __init__(self) -> None:
        self._processes: list[tuple[subprocess.Popen[str], IO[str]]] = []

    def start(self, preset: Preset, root: Path, run: str, gpu: str | None = None) -> None:
        """Start one more, on the store in `root`, which sees `gpu` alone (None: all)."""
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

    def failures(self) -> list[str]:
        """One message per worker that stopped early, with the last line that it printed."""
        messages = []
        for process, errors in self._processes:
            if process.poll():
                errors.seek(0)
                last = (errors.read().strip() or "no message").splitlines()[-1]
                messages.append(f"a worker stopped: {last}")
        return messages

    def stop(self) -> None:
        """End them; the stages that they were performing are lost."""
        for process, errors in self._processes:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
            errors.close()


@contextmanager
def worker_processes(preset: Preset, root: Path, run: str, count: int) -> Iterator[Workers]:
    """`count` worker processes for as long as the block lasts. On GPUs each gets one, in turn from
    the second on: the run's own process works on the first."""
    group = Workers()
    devices = gpus() if preset.device == "cuda" and count > 0 else []
    try:
        for index in range(1, count + 1):
            group.start(preset, root, run, devices[index % len(devices)] if devices else None)
        yield group
    finally:
        group.stop()


def _end_with_parent() -> None:
    """Exit when the parent does, however it ends: it holds the other end of our input."""
    sys.stdin.read()
    os._exit(1)


def main(root: str, run: str) -> None:
    """One worker process; the preset comes on the first line of standard input."""
    preset = Preset.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    plan = plan_run(preset, Path(root))
    store = Store(Path(root), run=run)
    LocalExecutor(store, Reporter(), lambda line: None).run(plan)


if __name__ == "__main__":
    main(*sys.argv[1:])
