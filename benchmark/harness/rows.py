"""The rows of one subject: from its originals, over every protection and purifier, to scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.harness.component import Component
from impress_bench.benchmark.harness.errors import ConfigError
from impress_bench.benchmark.harness.measure import Measure
from impress_bench.benchmark.harness.plan import CONTROL, Cell, PlannedTask
from impress_bench.benchmark.harness.protect import Protect
from impress_bench.benchmark.harness.spec import Spec, parse_spec
from impress_bench.benchmark.harness.stage import Place, Stage
from impress_bench.benchmark.harness.stages import (
    Exploit,
    Inspect,
    Original,
    Purify,
    Score,
)

if TYPE_CHECKING:
    from impress_bench.benchmark.harness.planner import Planner


class SubjectPlanner:
    """Plans one subject of one task: all its protections share the originals."""

    def __init__(self, planner: Planner, planned: PlannedTask, subject: str) -> None:
        self.planner = planner
        self.planned = planned
        self.subject = subject
        self.original: Stage = planner.add(Original(**self._common("", "")))
        self._protects: dict[str, Stage] = {}

    def add(self) -> None:
        preset, plan = self.planner.preset, self.planner.plan
        for name in self.planned.task.controls:
            for seed in preset.seeds:
                plan.cells.append(self._control(name, seed))
        for protection in preset.specs("protections"):
            purifiers = [
                purifier
                for purifier in preset.specs("purifiers")
                if preset.crossed(self.planned.spec, protection, purifier)
            ]
            cells = [cell for purifier in purifiers for cell in self._cells(protection, purifier)]
            plan.cells.extend(cells)
            plan.protections.extend(cells[:1])

    def protect(self, spec: Spec, asking: tuple[str, ...] = ()) -> Stage:
        """The stage of a protection, after those of the protections it asks for."""
        name = str(spec)
        if name in asking:
            raise PluginError(f"protection {name}", f"requires itself: {' > '.join(asking)}")
        if name not in self._protects:
            component = self._component("protections", spec)
            required = {}
            for other in component.requires:
                try:
                    required[other] = self.protect(parse_spec(other), (*asking, name))
                except (PluginError, ConfigError) as error:
                    message = f"requires {other}, which failed: {error}"
                    raise PluginError(f"protection {name}", message) from None
            stage = Protect(
                **self._common(name, ""),
                original=self.original,
                protection=component,
                model_digest=self.planner.plan.models["protection"],
                required=required,
            )
            self._protects[name] = self.planner.add(stage)
        return self._protects[name]

    def _cells(self, protection: Spec, purifier: Spec) -> Iterator[Cell]:
        """The cells of a pair, one a seed, and its inspection."""
        names = (str(protection), str(purifier))
        seeds = self.planner.preset.seeds
        protected = None
        try:
            protected = self.protect(protection)
            stage = Purify(
                **self._common(*names),
                protected=protected,
                purifier=self._component("purifiers", purifier),
                model_digest=self.planner.plan.models["purifier"],
            )
        except PluginError as error:
            for seed in seeds:
                place = self._place(*names, seed)
                yield Cell(place, self.original, protected, failure=error)
            return
        purified = self.planner.add(stage)
        inspected = self._inspect(names, purified)
        for index, seed in enumerate(seeds):
            exploited = self._exploit(names, purified, seed)
            cell = Cell(
                self._place(*names, seed), self.original, protected, purified, exploited,
                self._score(names, exploited, seed), self._measures(names, exploited, seed),
            )  # fmt: skip
            if index == 0 and inspected is not None:
                self.planner.plan.inspections.append((cell, inspected))
            yield cell

    def _control(self, name: str, seed: int) -> Cell:
        names = (CONTROL.format(name), "")
        exploited = self._exploit(names, self.original, seed, name)
        return Cell(
            self._place(*names, seed),
            self.original,
            exploited=exploited,
            score=self._score(names, exploited, seed),
            measured=self._measures(names, exploited, seed),
        )

    def _exploit(
        self, names: tuple[str, str], images: Stage, seed: int, control: str | None = None
    ) -> Stage:
        return self.planner.add(
            Exploit(
                **self._common(*names, seed),
                images=images,
                seed=seed,
                model_digest=self.planner.plan.models["target"],
                control=control,
            )
        )

    def _reference(self, seed: int) -> Stage:
        """What the target makes of the clean images."""
        return self._exploit(("", ""), self.original, seed)

    def _score(self, names: tuple[str, str], exploited: Stage, seed: int) -> Stage:
        reference = self._reference(seed) if self.planned.task.needs_reference else None
        return self.planner.add(
            Score(
                **{**self._common(*names, seed), "task": self.planned.judge},
                exploited=exploited,
                reference=reference,
                metrics=tuple(metric.name for metric in self.planned.task.metrics),
            )
        )

    def _measures(
        self, names: tuple[str, str], exploited: Stage, seed: int
    ) -> dict[str, Stage | PluginError]:
        found: dict[str, Stage | PluginError] = {}
        for name, metric in self.planned.further.items():
            if isinstance(metric, PluginError):
                found[name] = metric
                continue
            stage = Measure(
                **self._common(*names, seed),
                exploited=exploited,
                reference=self._reference(seed) if metric.shown["needs_reference"] else None,
                metric=metric,
            )
            found[name] = self.planner.add(stage)
        return found

    def _inspect(self, names: tuple[str, str], images: Stage) -> Stage | None:
        if not self.planner.preset.inspections:
            return None
        return self.planner.add(
            Inspect(
                **{**self._common(*names), "task": self.planned.judge},
                original=self.original,
                images=images,
                source=self.planner.inconsistency_source(),
                model_digest=self.planner.plan.models["target"],
            )
        )

    def _component(self, field: str, spec: Spec) -> Component:
        found = self.planner.resolve(field, spec)
        if isinstance(found, PluginError):
            raise found
        return found

    def _place(self, protection: str, purifier: str, seed: int | None = None) -> Place:
        return Place(self.planned.name, self.subject, protection, purifier, seed)

    def _common(self, protection: str, purifier: str, seed: int | None = None) -> dict[str, Any]:
        return {
            "place": self._place(protection, purifier, seed),
            "task": self.planned.component,
            "task_name": self.planned.task.name,
            "subject": self.subject,
            "threads": self.planner.preset.threads,
            "device": self.planner.preset.device,
        }
