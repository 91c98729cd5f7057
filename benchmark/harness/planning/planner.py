"""From a preset to a plan: tasks, subjects and the rows of each."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from impress_bench.benchmark import signals
from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError, plugin_error, unknown
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.planning.expand_all import expanded
from impress_bench.benchmark.harness.planning.plan import Plan, PlannedTask
from impress_bench.benchmark.harness.planning.resolver import Resolver
from impress_bench.benchmark.harness.planning.subject import Row, SubjectPlanner, rows_of
from impress_bench.benchmark.harness.plugins.component import Component
from impress_bench.benchmark.harness.plugins.plugin_process import PluginProcess
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.plugins.source_digest import Code
from impress_bench.benchmark.spec import Spec
from impress_bench.benchmark.tasks.base import Task

#: The setting of a task that matters to its judge alone.
JUDGING = "judging"


def make_plan(preset: Preset, registry: Registry) -> Plan:
    """The plan of a preset. Raises ConfigError for a mistake in the preset."""
    with _uncollected():
        return Planner(expanded(preset, registry), registry).build()


def plan_run(preset: Preset, root: Path) -> Plan:
    """The plan of a preset, with the parameters of plugins cached in the store in `root`."""
    wanted = preset.isolate or preset.plugin_python is not None
    isolated = PluginProcess.of(preset, root) if wanted else None
    return make_plan(preset, Registry(cache=root / "resolved", isolated=isolated))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Switch the garbage collector off: a plan has no reference cycles, and repeated scans of its
    objects would take a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Planner:
    """Builds the plan of one preset."""

    def __init__(self, preset: Preset, registry: Registry) -> None:
        self.preset = preset
        self.registry = registry
        self.resolver = Resolver(preset, registry)
        self.plan = Plan(preset, models=self.resolver.models, components=self.resolver.components)

    def build(self) -> Plan:
        """The plan. Raises ConfigError where nothing can be run."""
        preset, plan = self.preset, self.plan
        for spec in preset.specs("tasks"):
            plan.tasks.append(self._task(spec))
        self._check_metrics()
        chosen = self._choose_subjects()
        for planned in plan.tasks:
            rows: dict[
                tuple[bool, ...], list[Row]
            ] = {}  # subjects under the same blocks share them
            for place, subject in enumerate(chosen[planned.name]):
                blocks = tuple(block.covers(place) for block in preset.matrix)
                if blocks not in rows:
                    rows[blocks] = rows_of(self.resolver, planned, place)
                SubjectPlanner(self.resolver, plan, planned, subject).add(rows[blocks])
        if not plan.cells:
            raise ConfigError(f"{preset.where('subjects')}: nothing to run: no cell is left")
        return plan

    def _task(self, spec: Spec) -> PlannedTask:
        """Resolve and create a task. A broken one fails the whole plan, since its subjects, and so
        the cells that it would cost, are unknown. Raises ConfigError."""
        try:
            component = self.resolver.resolve("tasks", spec)
            if isinstance(component, PluginError):
                raise component
            task = component.create()
        except PluginError as error:
            signals.check()  # in what is being imported, a signal turns into its error
            raise ConfigError(f"{self.preset.where('tasks')}: {error}") from None
        try:
            subjects = tuple(task.subjects())
        except PluginError as error:  # its message names the folder to correct
            signals.check()
            raise ConfigError(str(error)) from None
        except Exception as error:
            signals.check()
            failed = plugin_error("task", str(spec), "failed to name subjects", error)
            raise ConfigError(f"{self.preset.where('tasks')}: {failed}") from error
        judge = component
        if task.judge:
            own = Code(component.source, component.libraries)
            code = own.joined(self.registry.index.code(task.judge.partition(":")[0]))
            judge = replace(component, source=code.digest, libraries=code.libraries)
            self.plan.components[f"task {spec}"] = judge
        component = replace(
            component,
            parameters={k: v for k, v in component.parameters.items() if k != JUDGING},
            files={k: v for k, v in component.files.items() if not k.startswith(f"{JUDGING}.")},
        )
        return PlannedTask(spec, component, judge, task, subjects, self._further(spec, task))

    def _check_metrics(self) -> None:
        """Raise ConfigError for a metric of the preset that applies to none of the tasks."""
        measured = {name for task in self.plan.tasks for name in task.further}
        for spec in self.preset.specs("metrics"):
            if str(spec) not in measured:
                where, tasks = self.preset.where("metrics"), ", ".join(self.preset.tasks)
                raise ConfigError(
                    f"{where}: {spec} compares exploits with those of the clean images, which"
                    f" {tasks} does not make; leave the metric out"
                )

    def _further(self, used_in: Spec, task: Task) -> dict[str, Component | PluginError]:
        """The preset's metrics that apply to a task."""
        metrics = {}
        for spec in self.preset.specs("metrics"):
            name, metric = str(spec), self.resolver.resolve("metrics", spec, used_in.name)
            if name in [known.name for known in (*task.scaled, *task.metrics)]:
                where = self.preset.where("metrics")
                raise ConfigError(f"{where}: task {task.name} has a metric {name!r} of its own")
            if isinstance(metric, PluginError) or _applies(metric, task):
                metrics[name] = metric
        return metrics

    def _choose_subjects(self) -> dict[str, tuple[str, ...]]:
        wanted = self.preset.subjects
        offered = {task.name: task.subjects for task in self.plan.tasks}
        if wanted is None or isinstance(wanted, int):
            return {name: subjects[:wanted] for name, subjects in offered.items()}
        if isinstance(wanted, dict):
            return {
                task.name: task.subjects[: wanted.get(task.name, wanted.get(task.spec.name))]
                for task in self.plan.tasks
            }
        known = list(dict.fromkeys(name for subjects in offered.values() for name in subjects))
        for name in wanted:
            if name not in known:
                message = unknown("subject", name, known)
                raise ConfigError(f"{self.preset.where('subjects')}: {message}")
        return {
            task: tuple(name for name in subjects if name in wanted)
            for task, subjects in offered.items()
        }


def _applies(metric: Component, task: Task) -> bool:
    """Whether a task's exploits can be measured: only those of some tasks can be compared image by
    image, whereas sets of images can always be."""
    return metric.shown["over"] == "set" or not metric.shown["reference"] or task.needs_reference
