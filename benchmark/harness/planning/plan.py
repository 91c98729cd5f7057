"""A plan: the graph of stages, each result once, and the cells that boards are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.base import Place, Stage
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.spec import Spec
from impress_bench.benchmark.tasks.base import MetricInfo, Task


class Cell(NamedTuple):
    """Task x subject x protection x purifier x seed, and the stages that lead to its scores.

    A control has the protection `control:NAME` and no purifier. A cell whose plugin could not be
    resolved has a `failure` instead of a `score`.
    """

    place: Place
    original: Stage | None = None
    protected: Stage | None = None
    purified: Stage | None = None
    exploited: Stage | None = None
    score: Stage | None = None
    #: Metrics that the preset adds, by name: their stages, or the error of a broken one.
    measured: Mapping[str, Stage | PluginError] = MappingProxyType({})
    failure: PluginError | None = None


@dataclass(frozen=True)
class PlannedTask:
    """A task of the plan; `subjects` are all that it offers.

    `component` decides the exploits. `judge` is the same with the code and settings that decide the
    scores alone, so that a change of the judge repeats no exploit.
    """

    spec: Spec
    component: Component
    judge: Component
    task: Task
    subjects: tuple[str, ...]
    #: Metrics that the preset adds, by name, or the error of a broken one.
    further: Mapping[str, Component | PluginError] = field(default_factory=dict)

    @property
    def metrics(self) -> list[MetricInfo]:
        """The task's own, then those that the preset adds."""
        declared = {
            name: {} if isinstance(metric, PluginError) else metric.shown
            for name, metric in self.further.items()
        }
        further = [MetricInfo.read({**shown, "name": name}) for name, shown in declared.items()]
        return [*self.task.metrics, *further]

    @property
    def name(self) -> str:
        """Its spec, by which cells name it."""
        return str(self.spec)


@dataclass
class Plan:
    """The stages by key, each behind its inputs, and what is read from their results."""

    preset: Preset
    tasks: list[PlannedTask] = field(default_factory=list)
    stages: dict[str, Stage] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    #: The first cell of every protection, and of every inspection with its stage.
    protections: list[Cell] = field(default_factory=list)
    inspections: list[tuple[Cell, Stage]] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)

    def stored(self, store: Store) -> set[str]:
        """Keys of the stages that the store seems to hold already."""
        return store.held(self.stages)
