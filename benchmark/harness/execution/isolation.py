"""Runs stages of third-party plugins, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.subprocess_call import Limits, call_in_subprocess
from impress_bench.benchmark.harness.stages.base import Stage, perform
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result, Stored
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.models.numerics import Numerics

Call = tuple[Stage, Mapping[str, Result], Mapping[str, str], Numerics]


class Isolation:
    """Which stages of a preset run in processes of their own, and how. Results do not change."""

    def __init__(self, preset: Preset) -> None:
        self._wanted = preset.isolate
        self._roles = preset.models.roles()
        self._numerics = preset.numerics.chosen()
        self._limits = Limits.of(preset)

    def covers(self, stage: Stage) -> bool:
        """Whether the preset isolates plugins, and a third-party one takes part in the stage."""
        return self._wanted and any(not plugin.ours for plugin in stage.plugins)

    def perform(self, stage: Stage, inputs: Mapping[str, Result]) -> Stored:
        """The result of a stage, with its passes through networks and the peak memory of its
        process, but without its seconds. Raises PluginError if the process fails or ends early."""
        call: Call = (stage, inputs, self._roles, self._numerics)
        with call_in_subprocess(stage.component, _perform, call, self._limits) as folder:
            stored = Store(folder).find(stage.key)
        if stored is None:
            raise PluginError(stage.component, "its process ended and left no result")
        return stored


def _perform(call: Call, folder: Path) -> None:
    """In the other process, which hands its result over through a store in `folder`."""
    stage, inputs, roles, numerics = call
    env = Environment(roles, device=stage.device, numerics=numerics)
    result = perform(stage, inputs, env)
    Store(folder).put(stage.key, stage.document, result, 0.0, env.passes, env.peak_bytes)
