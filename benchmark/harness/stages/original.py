"""The stage of the clean images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Original(Stage):
    """The clean images of a subject."""

    kind = "original"

    @property
    def component(self) -> str:
        return f"task {self.task.label}"

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.task.identity()}

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        return Result(env.task(self.task).originals(self.subject))
