"""Runs a preset: plan, execute, collect, and write the run's folder.

```
RUN/boards/…   RUN/cells.parquet   RUN/protections.parquet   RUN/inspections.parquet
RUN/figures/…  RUN/pictures/…  RUN/costs.{json,md}   RUN/provenance.json   RUN/log.txt
```
"""

from __future__ import annotations

import json
import time
import traceback
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, Unpack

import pandas as pd

from impress_bench.benchmark import signals
from impress_bench.benchmark.contract import State
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.devices import device_problem
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.config.selection import Selection, select
from impress_bench.benchmark.harness.execution.base import Executor
from impress_bench.benchmark.harness.execution.local import LocalExecutor
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.execution.workers import default_workers, worker_processes
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.planning.planner import plan_run
from impress_bench.benchmark.harness.runs.board_file import BoardFile, read_board
from impress_bench.benchmark.harness.runs.board_meta import board_meta
from impress_bench.benchmark.harness.runs.costs import costs_of, passes_of, save_costs
from impress_bench.benchmark.harness.runs.pictures import write_pictures
from impress_bench.benchmark.harness.runs.provenance import provenance
from impress_bench.benchmark.harness.runs.reconstructions import (
    reconstruction_captions,
    write_reconstructions,
)
from impress_bench.benchmark.harness.runs.saved_images import SavedImages
from impress_bench.benchmark.harness.runs.strips import StoredImages, strip_captions, write_figures
from impress_bench.benchmark.harness.runs.tables import frames_of, save_frames
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.store import Store, default_root
from impress_bench.benchmark.machine import MachineError
from impress_bench.benchmark.sandbox.confine import missing_walls
from impress_bench.benchmark.signals import Stopped
from impress_bench.benchmark.texts import one_line
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.schema import CELL

#: Interval in seconds at which boards are rewritten during a run.
REFRESH_S = 30.0


@dataclass(frozen=True)
class RunResult:
    """The folder of a run, and the tables that its boards were written from."""

    out: Path
    cells: pd.DataFrame
    protections: pd.DataFrame
    inspections: pd.DataFrame
    boards: list[Path]
    #: Numbers of stages by verb: executed, reused, skipped, failed, blocked.
    stages: dict[str, int] = field(default_factory=dict)
    #: The pictures that the run has drawn.
    figures: list[Path] = field(default_factory=list)
    #: The images that were saved, and their manifest, where `save_images` named a folder.
    saved: list[Path] = field(default_factory=list)

    def board(self, name: str) -> BoardFile:
        """A board by its name, such as "table-1": `print` shows it, a notebook renders it, and
        `.frame` is a DataFrame. Raises ConfigError for one that the run has not written."""
        return read_board([path for path in self.boards if path.suffix == ".md"], name)

    @property
    def states(self) -> dict[str, int]:
        """Numbers of cells by state; a cell has failed if one of its metrics has."""
        ended = self.cells["state"].isin([State.DONE, State.SKIPPED]).sort_values(kind="stable")
        worst = self.cells.loc[ended.index].drop_duplicates(list(CELL)).sort_index()
        return dict(worst["state"].value_counts(sort=False))

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The cells that neither finished nor were skipped, with their reasons."""
        where = [*CELL, "state", "reason"]
        failed = self.cells[~self.cells["state"].isin([State.DONE, State.SKIPPED])]
        rows = failed[where].drop_duplicates().itertuples(index=False)
        return [dict(zip(where, row, strict=True)) for row in rows]

    @property
    def exit_code(self) -> int:
        """0 if every cell is done or skipped, 1 otherwise."""
        return 1 if self.failures else 0


def run(
    preset: Preset | str | Path = "mini",
    out: str | Path | None = None,
    store: str | Path | None = None,
    reporter: Reporter | None = None,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    save_images: str | Path | None = None,
    **selection: Unpack[Selection],
) -> RunResult:
    """Run a preset and write its boards. Stored results are reused.

    preset: a `Preset`, the name of a shipped one, or a TOML file.
    out: the folder to write; default: runs/<preset>.
    store: the folder of the store; default: `store.default_root()`.
    reporter: receives progress; default: none.
    workers: number of processes; default: one per `threads` cores, or one per GPU.
    executor: "local", or "ray" for the Ray cluster at `address` (default: one on this machine).
    save_images: a new or empty folder for the protected and purified images as PNG files, with a
        manifest; or that of the same run, begun before. Default: they stay in the store.
    selection: `protections`, `purifiers`, `tasks`, `metrics`, `subjects`, `seeds` and `device`
        instead of the preset's, as on the command line; see `Selection`. Protections or purifiers
        are combined with everything else listed, whatever the preset's matrix says.

    Raises ConfigError for a mistake in the preset, for a GPU that is not there and for a
    `save_images` that holds anything else, StoreError if the store or that folder cannot be
    written, ClusterError if the Ray cluster is lost. An interrupt, and whatever else ends a run,
    writes the boards of what is done, and is raised again.
    """
    preset = select(preset if isinstance(preset, Preset) else load_preset(preset), **selection)
    reporter = reporter or Reporter()
    folder = make_folder(Path(out) if out is not None else Path("runs") / preset.name, "--out")
    root = make_folder(Path(store) if store is not None else default_root(), "--store")
    plan = plan_run(preset, root)
    saved = SavedImages(plan, Path(save_images)) if save_images is not None else None
    with (folder / "log.txt").open("a", buffering=1, encoding="utf-8") as log:
        count = workers or default_workers(preset)
        objects = Store(root, run=uuid.uuid4().hex)
        with objects.entered(preset.name, folder, plan.stages):
            work = _Run(plan, folder, objects, reporter, log, count, executor, address, saved)
            return work.run()


class _Run:
    def __init__(
        self,
        plan: Plan,
        folder: Path,
        store: Store,
        reporter: Reporter,
        log: TextIO,
        workers: int,
        executor: str,
        address: str | None,
        images: SavedImages | None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        further = reconstruction_captions(plan) if plan.preset.inspections else {}
        figures = strip_captions(plan) | further
        self.meta = board_meta(plan).model_copy(update={"figures": figures})
        self._log = log
        self._reporter = reporter
        self._store = store
        store.warn = self._warn
        self._workers = workers
        self._executor = self._make_executor(executor, address)
        self._written = time.monotonic()
        self._fresh = False
        self._warned: set[str] = set()
        self._strips: list[Path] = []
        self._images = images
        self._saved: list[Path] = []

    def run(self) -> RunResult:
        origin = {**provenance(self.plan), "boards": self.meta.stored()}
        document = json.dumps(origin, indent=1, ensure_ascii=False).encode()
        write_atomically(self.folder / "provenance.json", document)
        self._note(f"run {self.plan.preset.name} {origin['started']}")
        for wall in self._missing_walls():
            self._warn(f"plugins of other packages are confined by less than usual: no {wall}")
        try:
            self._execute()
            if self._images is not None:
                self._saved = self._images.save(self._store, self._warn)
            images = StoredImages(self._store, self._warn)
            drawn = (self.plan, images, self.meta, self.folder)
            self._strips = write_figures(*drawn)
            if self.plan.preset.inspections:
                self._strips += write_reconstructions(*drawn, self._warn)
            write_pictures(*drawn)
            return self._write()
        except KeyboardInterrupt as stop:
            signals.end()
            self._note(f"ended by {stop.name}" if isinstance(stop, Stopped) else "interrupted")
            self._executor.gather(self.plan)
            self._preview()
            raise
        except ConfigError:  # before anything was run
            raise
        except Exception as error:
            kind = "" if isinstance(error, MachineError) else f"{type(error).__name__}: "
            with suppress(OSError):  # the disk may be full
                self._note(one_line(f"stopped: {kind}{error}"))
            self._preview()
            raise

    def _missing_walls(self) -> list[str]:
        """What of a sandbox this system does not allow, if the run needs one."""
        preset, components = self.plan.preset, self.plan.components.values()
        plugins = [one for one in components if one.kind in ("protection", "purifier")]
        if not preset.isolate or all(plugin.ours for plugin in plugins):
            return []
        return missing_walls()

    def _make_executor(self, name: str, address: str | None) -> Executor:
        parts = (self._store, self._reporter, self._note, self._on_outcome)
        if name == "ray" and self._missing():
            from impress_bench.benchmark.harness.execution.ray_cluster import RayExecutor

            cluster = RayExecutor(*parts)
            cluster.connect(address, self.plan.preset.threads)
            return cluster
        return LocalExecutor(*parts, self._workers)

    def _execute(self) -> None:
        """Run the plan, with no more workers than there are missing stages."""
        if not isinstance(self._executor, LocalExecutor):
            self._executor.run(self.plan)
            return
        missing = self._missing()
        count = min(self._workers, missing) - 1
        preset, root = self.plan.preset, self._store.root
        if missing and (problem := device_problem(preset.device)):
            raise ConfigError(f"{preset.where('device')}: {problem}")
        with worker_processes(preset, root, str(self._store.run), count, self._warn):
            self._executor.run(self.plan)

    def _missing(self) -> int:
        """The number of stages that are not stored yet."""
        return len(self.plan.stages) - len(self.plan.stored(self._store))

    def _on_outcome(self, stage: Stage) -> None:
        """Rewrite the boards from time to time."""
        self._fresh |= self._executor.outcomes[stage.key].verb == "executed"
        if self._fresh and time.monotonic() - self._written > REFRESH_S:
            self._preview()

    def _preview(self) -> None:
        """Write the boards of what is done. What cannot be written is reported once and ends
        nothing: the run, and the way that it ends, are worth more."""
        try:
            self._write()
        except Exception as error:
            self._written = time.monotonic()
            message = f"boards of what is done so far cannot be written: {error}"
            if message not in self._warned:
                self._warned.add(message)
                with suppress(OSError):  # the disk may be full
                    self._log.write(traceback.format_exc())
                    self._note(one_line(message))
                self._reporter.message(message)

    def _write(self) -> RunResult:
        outcomes = self._executor.outcomes
        frames = frames_of(self.plan, outcomes)
        save_frames(frames, self.folder)
        save_costs(costs := costs_of(self.plan, outcomes), self.folder)
        meta = self.meta.model_copy(update={"passes": passes_of(costs)})
        boards = write_boards(*frames[:3], meta, self.folder, notes=frames.notes)
        self._written, self._fresh = time.monotonic(), False
        verbs = Counter(outcome.verb for outcome in outcomes.values())
        pictures = [*self._strips, *[path for path in boards if path.suffix == ".png"]]
        return RunResult(self.folder, *frames[:3], boards, dict(verbs), pictures, self._saved)

    def _note(self, line: str) -> None:
        self._log.write(f"{line}\n")

    def _warn(self, message: str) -> None:
        self._note(one_line(message))
        self._reporter.message(message)
