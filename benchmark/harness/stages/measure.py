"""The stage of a metric that a preset adds to those of its tasks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import ImageSet, PluginError, State
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.asking import ask_metric
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Measure(Stage):
    """A metric of an exploit, beside the images that it compares with.

    Those are the exploit of the clean images, the clean images or, of a metric over sets, the
    subject's own images; `reference` is None for a metric that compares with none.
    """

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
        """What the metric is given: the images, and what they are compared with.

        Raises PluginError, for a skipped cell, if sets are the same or too small for the metric, or
        if it needs texts that the task does not give.
        """
        exploited = images_of(inputs["exploited"])
        reference = None if self.reference is None else images_of(inputs["reference"])
        if self._of_sets:
            self._check_sets(len(exploited.names), 0 if reference is None else len(reference.names))
        if self.metric.shown.get("titles"):
            for images in (exploited, reference):
                if images is not None and not images.titles:
                    message = "needs a text per image, and this task says none of some of them"
                    raise PluginError(self.component, message, State.SKIPPED)
        return exploited, reference

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        return self.judge(inputs, ask_metric(self.metric, *self.images(inputs)))

    def judge(self, inputs: Mapping[str, Result], values: Sequence[float]) -> Result:
        """The result: the mean of the images' values, or the one value of a set."""
        if self._of_sets:
            if len(values) != 1 or not math.isfinite(values[0]):
                raise PluginError(self.component, f"is not one finite value: {values[:5]}")
        elif not one_per_image(values, images_of(inputs["exploited"])):
            raise PluginError(self.component, f"is not one finite value per image: {values[:5]}")
        return Result(record={"value": sum(values) / len(values)})

    @property
    def _of_sets(self) -> bool:
        return bool(self.metric.shown["over"] == "set")

    def _check_sets(self, painted: int, compared: int) -> None:
        if self.reference is not None and self.reference.key == self.exploited.key:
            message = "these are the images that others are compared with"
            raise PluginError(self.component, message, State.SKIPPED)
        minimum = self.metric.shown["minimum"]
        if min(painted, compared) < minimum:
            message = f"needs {minimum} images in each set, not {painted} and {compared}"
            raise PluginError(self.component, message, State.SKIPPED)
