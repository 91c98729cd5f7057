"""How long stages take: recorded per kind of work, or measured on the beginning of one."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from impress_bench.benchmark.contract import NORMS, PluginError
from impress_bench.benchmark.harness.stages.base import Stage, perform
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.harness.storage.result import Result
from impress_bench.benchmark.models.numerics import PLAIN, Numerics


class Timings:
    """Seconds that the latest stage of each kind of work took on this machine.

    Two stages do the same work if they differ only in subject, seed and inputs. Kept in the store's
    folder, for estimates alone.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "timings"

    def record(self, stage: Stage, seconds: float) -> None:
        """Record how long a stage took; a folder that cannot be written is ignored."""
        document = {"work": f"{stage.kind} {stage.component}", "seconds": seconds}
        with suppress(OSError):
            write_atomically(self._path(stage), json.dumps(document).encode())

    def known(self, stage: Stage) -> float | None:
        """Seconds that such a stage took last, or None."""
        try:
            return float(json.loads(self._path(stage).read_bytes())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _path(self, stage: Stage) -> Path:
        return self._folder / f"{work_key(stage)}.json"


def work_key(stage: Stage) -> str:
    """Equal for stages that do the same work on the same machine."""
    parts = {name: value for name, value in stage.parts().items() if name != "seed"}
    machine = [platform.node(), platform.machine(), os.cpu_count()]
    work = {"kind": stage.kind, "parts": parts, "how": stage.conditions, "machine": machine}
    return sha256(canonical_json(work).encode())


class _Enough(BaseException):
    """Ends a probe; not an Exception, so that no plugin catches it."""


class Probe:
    """Times stages by the progress that they report in their first `patience` seconds."""

    def __init__(
        self,
        models: Mapping[str, str],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        device: str = "cpu",
        numerics: Numerics = PLAIN,
    ) -> None:
        self._patience, self._clock = patience, clock
        self._seen: list[tuple[float, int, int]] = []
        self._began = 0.0
        self._env = Environment(models, report=self._report, device=device, numerics=numerics)
        self._roles = tuple(models)
        self._originals: dict[str, Result] = {}

    def seconds(self, stage: Stage, original: Stage) -> float:
        """How long `stage` will take. Its inputs are replaced by the images of `original`, which
        take as long. A stage that reports no progress, or is quicker, is run to its end, and then
        once more: the first of its kind loads what later ones of a run share, such as a judge."""
        for role in self._roles:
            self._env.model(role)  # loaded once per run, so no part of a stage's time
        inputs = {name: self._stand_in(original) for name in stage.inputs}
        whole = self._beginning(stage, inputs)
        if whole is not None:
            return whole
        again = self._clock()
        whole = self._beginning(stage, inputs)
        return self._clock() - again if whole is None else whole

    def _beginning(self, stage: Stage, inputs: Mapping[str, Result]) -> float | None:
        """How long a stage will take, by its beginning; None if it has come to its end."""
        self._seen, self._began = [], self._clock()
        try:
            perform(stage, inputs, self._env)
        except _Enough:
            (first, done, _), (last, reached, total) = self._seen[0], self._seen[-1]
            return first - self._began + (total - done) * (last - first) / (reached - done)
        except PluginError:
            pass  # failing takes as long, or the stand-in was not a valid input
        return None

    def _report(self, done: int, total: int) -> None:
        now = self._clock()
        self._seen.append((now, done, total))
        if now - self._began > self._patience and done - self._seen[0][1] >= 2 and done < total:
            raise _Enough

    def _stand_in(self, original: Stage) -> Result:
        """Original images in the place of any input, recorded as if a protection had moved them."""
        if original.key not in self._originals:
            images = perform(original, {}, self._env).images
            assert images is not None
            moved = {norm: [0.05] * len(images.names) for norm in NORMS}
            record = {"names": list(images.names), **moved}
            self._originals[original.key] = Result(images, record)
        return self._originals[original.key]
