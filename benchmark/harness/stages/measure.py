"""The stage of a metric that a preset adds to those of its tasks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from impress_bench.benchmark.contract import PluginError, State
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.base import Stage, images_of, one_per_image
from impress_bench.benchmark.harness.stages.environment import Environment
from impress_bench.benchmark.harness.storage.image_codec import to_tensor
from impress_bench.benchmark.harness.storage.result import Result


@dataclass(eq=False, kw_only=True, slots=True)
class Measure(Stage):
    """A metric of an exploit, beside the images that it compares with.

    Those are the exploit of the clean images or, of a metric over sets, the subject's own images;
    `reference` is None for a metric that compares with none.
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

    def run(self, inputs: Mapping[str, Result], env: Environment) -> Result:
        import torch

        exploited = images_of(inputs["exploited"])
        reference = None if self.reference is None else images_of(inputs["reference"])
        of_sets = self.metric.shown["over"] == "set"
        if of_sets:
            self._check_sets(len(exploited.names), 0 if reference is None else len(reference.names))
        metric = self.metric.create()
        with torch.no_grad():
            answer = metric(
                to_tensor(exploited), None if reference is None else to_tensor(reference)
            )
        if of_sets:
            return Result(record={"value": self._one(answer), "images": len(exploited.names)})
        try:
            values = [float(value) for value in answer]
        except (TypeError, ValueError) as error:
            raise PluginError(
                self.component, f"did not return one value per image: {error}"
            ) from error
        if not one_per_image(values, exploited):
            raise PluginError(self.component, f"is not one finite value per image: {values[:5]}")
        return Result(record={"value": sum(values) / len(values)})

    def _check_sets(self, painted: int, compared: int) -> None:
        """Raises PluginError, for a skipped cell, if the sets are one and the same or too small."""
        if self.reference is not None and self.reference.key == self.exploited.key:
            message = "these are the images that others are compared with"
            raise PluginError(self.component, message, State.SKIPPED)
        if min(painted, compared) < self.metric.shown["minimum"]:
            message = (
                f"needs {self.metric.shown['minimum']} images in each set, not {painted} and"
                f" {compared}"
            )
            raise PluginError(self.component, message, State.SKIPPED)

    def _one(self, answer: Any) -> float:
        """The value of a set. Raises PluginError unless it is one finite number."""
        try:
            value = float(answer)
        except (TypeError, ValueError) as error:
            raise PluginError(self.component, f"returned no single value: {error}") from error
        if not math.isfinite(value):
            raise PluginError(self.component, f"is no finite value: {value}")
        return value
