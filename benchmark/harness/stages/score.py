"""The stage of a task's own metrics."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.stages.base import Stage, images_of
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Score(Stage):
    """A task's metrics of an exploit, with the exploit of the clean images if the task needs it."""

    kind = "score"
    exploited: Stage
    reference: Stage | None
    metrics: tuple[str, ...]

    @property
    def inputs(self) -> Mapping[str, Stage]:
        reference = {} if self.reference is None else {"reference": self.reference}
        return {"exploited": self.exploited, **reference}

    @property
    def component(self) -> str:
        return f"task {self.task.label}"

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.task)

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.task.identity()}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        reference = None if self.reference is None else images_of(inputs["reference"])
        exploited = images_of(inputs["exploited"])
        scores = env.task(self.task).score(self.subject, exploited, reference)
        if set(scores) != set(self.metrics):
            given = sorted(scores)
            raise PluginError(self.component, f"scored {given}, not {sorted(self.metrics)}")
        values = {name: float(scores[name]) for name in self.metrics}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        other = {
            name: f"{self.component}: scored {name} as {value}"
            for name, value in values.items()
            if name not in finite
        }
        if not finite:
            raise PluginError(self.component, ", ".join(other.values()))
        # PSNR of two edits that differ nowhere says nothing against their SSIM.
        return Result(record={"scores": finite, **({"failures": other} if other else {})})
