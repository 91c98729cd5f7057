"""The rows of one subject: from its originals, over every protection and purifier, to scores."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeVar

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.planning.plan import Cell, Plan, PlannedTask
from impress_bench.benchmark.harness.planning.resolver import Resolver
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.stages.base import Place, Scene, Stage
from impress_bench.benchmark.harness.stages.exploit import Exploit
from impress_bench.benchmark.harness.stages.inspect import Inspect
from impress_bench.benchmark.harness.stages.measure import Measure
from impress_bench.benchmark.harness.stages.original import Original
from impress_bench.benchmark.harness.stages.protect import Protect
from impress_bench.benchmark.harness.stages.purify import Purify
from impress_bench.benchmark.harness.stages.score import Score
from impress_bench.benchmark.harness.storage.keys import KeyPattern
from impress_bench.benchmark.spec import Spec, parse_spec
from impress_bench.leaderboard.schema import control as mark

AnyStage = TypeVar("AnyStage", bound=Stage)
NOTHING: Mapping[str, Stage | PluginError] = {}


class Column(NamedTuple):
    """A purifier of a row with its spec as text, or the error of a broken one."""

    name: str
    purifier: Component | PluginError


class Row(NamedTuple):
    """A protection and the purifiers that the matrix crosses it with."""

    protection: Spec
    columns: tuple[Column, ...]


def rows_of(resolver: Resolver, planned: PlannedTask, place: int) -> list[Row]:
    """The rows of the subject at a place of a task's, from 0, in order; a protection that is
    crossed with nothing has none."""
    preset, task = resolver.preset, planned.spec
    purifiers = [
        (spec, Column(str(spec), _held(resolver.resolve("purifiers", spec, task.name), planned)))
        for spec in preset.specs("purifiers")
    ]
    rows = [
        Row(
            protection,
            tuple(
                column
                for spec, column in purifiers
                if preset.crossed(task, protection, spec, place)
            ),
        )
        for protection in preset.specs("protections")
    ]
    return [row for row in rows if row.columns]


class SubjectPlanner:
    """Plans one subject of one task: all its protections share the originals."""

    def __init__(self, resolver: Resolver, plan: Plan, planned: PlannedTask, subject: str) -> None:
        self.resolver = resolver
        self.plan = plan
        self.preset = plan.preset
        self.planned = planned
        self.subject = subject
        self._names = tuple(metric.name for metric in planned.task.metrics)
        self._patterns: dict[Hashable, KeyPattern] = {}
        self._protects: dict[str, Stage] = {}
        self._references: dict[int, Stage] = {}
        self._task = planned.name
        preset = self.preset
        self._scene = Scene(
            planned.component,
            planned.task.name,
            subject,
            preset.threads,
            preset.device,
            preset.conditions,
        )
        self._judged = self._scene._replace(task=planned.judge)
        self.original = self._add(Original(place=self._place("", ""), scene=self._scene))

    def add(self, rows: list[Row]) -> None:
        """Add the cells of every control and every row to the plan."""
        preset, plan = self.preset, self.plan
        for name in self.planned.task.controls:
            for seed in preset.seeds:
                plan.cells.append(self._control(name, seed))
        for protection, columns in rows:
            first, name = len(plan.cells), str(protection)
            for column in columns:
                plan.cells.extend(self._cells(protection, name, column))
            plan.protections.extend(plan.cells[first : first + 1])

    def protect(self, spec: Spec, name: str, requiring: tuple[str, ...] = ()) -> Stage:
        """The stage of a protection, behind those of the protections that it requires. Raises
        PluginError if one of them is broken, or requires itself, and ConfigError for one that the
        user names and that is unknown, as in `random-noise[match=…]`."""
        if name in requiring:
            raise PluginError(f"protection {name}", f"requires itself: {' > '.join(requiring)}")
        if name not in self._protects:
            component = _sound(self.resolver.resolve("protections", spec, self.planned.spec.name))
            required = {}
            for other in component.requires:
                try:
                    needed = parse_spec(other)
                    required[other] = self.protect(needed, str(needed), (*requiring, name))
                except (PluginError, ConfigError) as error:
                    if isinstance(error, ConfigError) and other in self._given(spec):
                        where = self.preset.where("protections")
                        told = str(error) if requiring else f"{where}: {name}: {error}"
                        raise ConfigError(told) from None
                    message = f"requires {other}, which failed: {error}"
                    raise PluginError(f"protection {name}", message) from None
            stage = Protect(
                place=self._place(name, ""),
                original=self.original,
                protection=component,
                model_identity=self.resolver.model_of("protection", component),
                further=self.resolver.further_of(component),
                required=required,
                scene=self._scene,
            )
            self._protects[name] = self._add(stage)
        return self._protects[name]

    def _given(self, spec: Spec) -> list[str]:
        """The parameters of a protection that the user set, as texts; others are its own."""
        settings = self.preset.settings.of(self.planned.spec.name)
        set_ = settings.get("protections", {}).get(spec.name, {})
        return [str(value) for value in {**set_, **dict(spec.parameters)}.values()]

    def _cells(self, protection: Spec, name: str, column: Column) -> Iterator[Cell]:
        """The cells of a protection and a purifier, one per seed; adds their inspection."""
        seeds, pair = self.preset.seeds, self._place(name, column.name)
        protected = None
        try:
            protected = self.protect(protection, name)
            purifier = _sound(column.purifier)
        except PluginError as error:
            for seed in seeds:
                place = self._place(name, column.name, seed)
                yield Cell(place, self.original, protected, failure=error)
            return
        purified = self._add(
            Purify(
                place=pair,
                protected=protected,
                purifier=purifier,
                model_identity=self.resolver.model_of("purifier", purifier),
                scene=self._scene,
            )
        )
        inspected = self._inspect(pair, purified)
        for index, seed in enumerate(seeds):
            place = self._place(name, column.name, seed)
            exploited = self._exploit(place, purified, seed)
            cell = Cell(
                place, self.original, protected, purified, exploited,
                self._score(place, exploited, seed), self._measures(place, exploited, seed),
            )  # fmt: skip
            if index == 0 and inspected is not None:
                self.plan.inspections.append((cell, inspected))
            yield cell

    def _control(self, name: str, seed: int) -> Cell:
        place = self._place(mark(name), "", seed)
        exploited = self._exploit(place, self.original, seed, name)
        return Cell(
            place,
            self.original,
            exploited=exploited,
            score=self._score(place, exploited, seed),
            measured=self._measures(place, exploited, seed),
        )

    def _exploit(self, place: Place, images: Stage, seed: int, control: str | None = None) -> Stage:
        return self._add(
            Exploit(
                place=place,
                images=images,
                seed=seed,
                model_identity=self.resolver.model_of("target", self.planned.component),
                control=control,
                scene=self._scene,
            )
        )

    def _reference(self, seed: int) -> Stage:
        """The exploit of the clean images."""
        if seed not in self._references:
            place = self._place("", "", seed)
            self._references[seed] = self._exploit(place, self.original, seed)
        return self._references[seed]

    def _score(self, place: Place, exploited: Stage, seed: int) -> Stage:
        reference = self._reference(seed) if self.planned.task.needs_reference else None
        return self._add(
            Score(
                place=place,
                exploited=exploited,
                reference=reference,
                metrics=self._names,
                scene=self._judged,
            )
        )

    def _measures(
        self, place: Place, exploited: Stage, seed: int
    ) -> Mapping[str, Stage | PluginError]:
        if not self.planned.further:
            return NOTHING
        stages: dict[str, Stage | PluginError] = {}
        for name, metric in self.planned.further.items():
            if isinstance(metric, PluginError):
                stages[name] = metric
                continue
            stage = Measure(
                place=place,
                exploited=exploited,
                reference=self._compared(metric, seed),
                metric=metric,
                scene=self._scene,
            )
            stages[name] = self._add(stage)
        return stages

    def _compared(self, metric: Component, seed: int) -> Stage | None:
        """The images that a metric compares with, if it does."""
        if metric.shown["reference"] == "original":
            return self.original
        if metric.shown["reference"] == "own":
            control = self.planned.task.own_images
            if control is None:
                return self.original
            place = self._place(mark(control), "", seed)
            return self._exploit(place, self.original, seed, control)
        return self._reference(seed) if metric.shown["reference"] else None

    def _inspect(self, place: Place, images: Stage) -> Stage | None:
        if not self.preset.inspections:
            return None
        return self._add(
            Inspect(
                place=place,
                original=self.original,
                images=images,
                source=self.resolver.inconsistency_source,
                model_identity=self.resolver.model_of("target", self.planned.component),
                scene=self._judged,
            )
        )

    def _add(self, stage: AnyStage) -> AnyStage:
        """The stage, or the equal one that is in the plan already."""
        key = stage.shared_key(self._patterns)
        return self.plan.stages.setdefault(key, stage)  # type: ignore[return-value]

    def _place(self, protection: str, purifier: str, seed: int | None = None) -> Place:
        return Place(self._task, self.subject, protection, purifier, seed)


def _held(purifier: Component | PluginError, planned: PlannedTask) -> Component | PluginError:
    """A purifier as a task is attacked with it: who exploits a target of the task's own purifies
    with that too, unless a surrogate is named."""
    target = planned.component.surrogate
    if isinstance(purifier, PluginError) or purifier.surrogate or not target:
        return purifier
    digest = planned.component.surrogate_digest
    return replace(purifier, surrogate=target, surrogate_digest=digest)


def _sound(component: Component | PluginError) -> Component:
    if isinstance(component, PluginError):
        raise component
    return component
