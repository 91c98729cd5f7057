"""The stage of a metric that a preset adds to those of its tasks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import ImageSet, PluginError
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.asking import ask_metric
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Measure(Stage):
    """A metric of an exploit, with the exploit of the clean images if the metric needs it."""

    kind = "measure"
    exploited: Stage
    reference: Stage | None
    metric: Component

    @property
    def inputs(self) -> Mapping[str, Stage]:
        reference = {} if self.reference is None else {"reference": self.reference}
        return {"exploited": self.exploited, **reference}

    @property
    def plugins(self) -> tuple[Component, ...]:
        return (self.metric,)

    @property
    def component(self) -> str:
        return f"metric {self.metric.label}"

    @property
    def likeness(self) -> Hashable:
        return self.kind, id(self.metric)

    def parts(self) -> Mapping[str, Any]:
        return {"component": self.metric.identity()}

    def images(self, inputs: Mapping[str, Result]) -> tuple[ImageSet, ImageSet | None]:
        """What the metric is given: the images, and what they are compared with."""
        reference = None if self.reference is None else images_of(inputs["reference"])
        return images_of(inputs["exploited"]), reference

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        return self.judge(inputs, ask_metric(self.metric, *self.images(inputs)))

    def judge(self, inputs: Mapping[str, Result], values: Sequence[float]) -> Result:
        """The result: the mean of the images' values."""
        if not one_per_image(values, images_of(inputs["exploited"])):
            raise PluginError(self.component, f"is not one finite value per image: {values[:5]}")
        return Result(record={"value": sum(values) / len(values)})
