"""Worker processes of a run: each performs the stages of the plan that no other one holds.

They share nothing but the store, so that a worker that dies costs the stage it was at. Results and
reasons of failures are left in the store for the run's own process, which reports them, and at once
a worker that ends early.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from impress_bench.benchmark import signals
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.execution.local import LocalExecutor
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.planning.planner import plan_run
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store

#: Seconds that a worker has to remove its scratch folders once it is to end.
GRACE_S = 5.0
#: Bytes of a stage's name, and of what a worker prints last, that are read.
MOST = 4096


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


class Worker:
    """One worker process on the store in `root`, which sees `gpu` alone (None: all)."""

    def __init__(self, preset: Preset, root: Path, run: str, gpu: str | None = None) -> None:
        environment = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        # Open for as long as the process is: what it prints, and the stage that it is at.
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.place: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(root), run, str(self.place.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            text=True,
            start_new_session=True,  # an interrupt is ours to handle
            pass_fds=[self.place.fileno()],
            env={**os.environ, **environment},
        )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it ended already, which is reported
            self.process.stdin.write(preset.model_dump_json() + "\n")
            self.process.stdin.flush()

    def ending(self, code: int) -> str:
        """How it ended early, at which stage, and the last line that it printed."""
        how = f"ended with {code}" if code >= 0 else f"was killed by {_signal_name(-code)}"
        place = os.pread(self.place.fileno(), MOST, 0).decode(errors="replace")
        where = f"at {place}" if place else "between stages"
        size = os.fstat(self.errors.fileno()).st_size
        told = os.pread(self.errors.fileno(), MOST, max(0, size - MOST)).decode(errors="replace")
        last = (told.strip().splitlines() or [""])[-1]
        message = f"worker process {self.process.pid} {how} {where}; others take what it leaves"
        if -code == signal.SIGKILL and not last:
            last = "is memory short? --workers runs fewer"
        return f"{message}: {last}" if last else message

    def close(self) -> None:
        """Release the files of a worker that has ended."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.errors.close()
        self.place.close()


class Workers:
    """The worker processes of a run. `report` gets a message as soon as one ends early."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._workers: list[tuple[Worker, threading.Thread]] = []
        self._stopping = False

    def start(self, preset: Preset, root: Path, run: str, gpu: str | None = None) -> None:
        """Start one more."""
        worker = Worker(preset, root, run, gpu)
        watcher = threading.Thread(target=self._watch, args=(worker,), daemon=True)
        self._workers.append((worker, watcher))
        watcher.start()

    def _watch(self, worker: Worker) -> None:
        code = worker.process.wait()
        if code and not self._stopping and not signals.came():
            self._report(worker.ending(code))

    def stop(self) -> None:
        """End them; the stages that they were performing are lost."""
        self._stopping = True
        for worker, _ in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for worker, watcher in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            watcher.join()
            worker.close()


@contextmanager
def worker_processes(
    preset: Preset,
    root: Path,
    run: str,
    count: int,
    report: Callable[[str], None] = lambda message: None,
) -> Iterator[Workers]:
    """`count` worker processes for as long as the block lasts. On GPUs each gets one, in turn from
    the second on: the run's own process works on the first."""
    group = Workers(report)
    devices = gpus() if preset.device == "cuda" and count > 0 else []
    try:
        for index in range(1, count + 1):
            group.start(preset, root, run, devices[index % len(devices)] if devices else None)
        yield group
    finally:
        group.stop()


class PlaceReporter(Reporter):
    """Writes the stage that is being executed into an open file, for whoever asks why the process
    died."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def begin(self, stage: Stage) -> None:
        self._write(f"{stage.kind} {stage.place}".encode(errors="replace")[:MOST])

    def end(self, stage: Stage, verb: str, seconds: float, remaining: str) -> None:
        if verb in ("executed", "skipped", "failed"):
            self._write(b"")

    def _write(self, text: bytes) -> None:
        os.pwrite(self._handle, text, 0)
        os.ftruncate(self._handle, len(text))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end_with_parent() -> None:
    """End when the parent does, however it ends: it holds the other end of our input. In order, so
    that no scratch folder stays, if that is possible."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


def main(root: str, run: str, place: str) -> None:
    """One worker process; the preset comes on the first line of standard input."""
    try:
        with signals.stopping():
            preset = Preset.model_validate_json(sys.stdin.readline())
            threading.Thread(target=_end_with_parent, daemon=True).start()
            plan = plan_run(preset, Path(root))
            store = Store(Path(root), run=run)
            LocalExecutor(store, PlaceReporter(int(place)), lambda line: None).run(plan)
    except signals.Stopped as stop:
        os._exit(stop.exit_code)  # at once: the run waits for it


if __name__ == "__main__":
    main(*sys.argv[1:])
