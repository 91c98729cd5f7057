"""What a complete submission holds: every subject, row, metric and control of its preset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from impress_bench.benchmark.contract import PluginError
from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.planning.plan import Plan, PlannedTask
from impress_bench.benchmark.harness.planning.planner import make_plan
from impress_bench.benchmark.harness.plugins.registry import Registry
from impress_bench.benchmark.harness.runs.board_meta import about_listed, board_meta
from impress_bench.benchmark.tasks.base import Range
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.schema import control

#: task, subject, protection, purifier, seed, metric: as in cells.csv.
Place = tuple[str, str, str, str, str, str]
#: What a plugin's rows are compared with, where the preset has it.
BASELINES = {"protection": "identity", "purifier": "none"}


class Measured(NamedTuple):
    """What a run measures of a task; None where only its data, which is not here, tells that."""

    subjects: tuple[str, ...] | None
    metrics: tuple[str, ...] | None
    controls: tuple[str, ...]
    ranges: dict[str, Range]


class Offered(NamedTuple):
    """What a run of a preset measures, by task, and how boards show it."""

    preset: Preset
    tasks: dict[str, Measured]
    meta: BoardMeta

    def specs(self, kind: str) -> list[str]:
        """The protections or purifiers of the preset, as cells name them."""
        return [str(spec) for spec in self.preset.specs(f"{kind}s")]

    def rows(self, kind: str, specs: Sequence[str]) -> list[str]:
        """The rows of a complete submission of `specs`, in order: what they are compared with, then
        they. A protection is compared with the clean images and with noise that is as visible."""
        clean = [name for name in self.specs(kind) if name == BASELINES[kind]]
        noise = Layout(self.meta).noise_for(specs) if kind == "protection" else []
        return [*clean, *noise, *specs]

    def places(self, kind: str, specs: Sequence[str]) -> Iterator[Place]:
        """The cells of a complete submission of `specs`, controls first."""
        rows = self.rows(kind, specs)
        columns = self.specs("purifier" if kind == "protection" else "protection")
        for name, task in self.tasks.items():
            pairs = [(control, "") for control in task.controls]
            for column in columns:
                for row in rows:
                    pairs.append((row, column) if kind == "protection" else (column, row))
            for subject in task.subjects or ():
                for protection, purifier in pairs:
                    for seed in map(str, self.preset.seeds):
                        for metric in task.metrics or ():
                            yield name, subject, protection, purifier, seed, metric


@lru_cache(maxsize=8)
def offered(name: str) -> Offered:
    """What the shipped preset of a name offers; without its data, all but the subjects."""
    preset = load_preset(name)
    narrow = preset.override({}, protections=["identity"], purifiers=["none"])
    registry = Registry()
    try:
        plan = make_plan(narrow, registry)
    except ConfigError:
        plan = _without_data(narrow, registry)
    subjects: dict[str, dict[str, None]] = {}
    for cell in plan.cells:
        subjects.setdefault(cell.place.task, {})[cell.place.subject] = None
    tasks = {
        task.name: Measured(
            tuple(subjects[task.name]) if task.name in subjects else None,
            _metrics(task),
            tuple(control(name) for name in task.task.controls),
            task.task.ranges(),
        )
        for task in plan.tasks
    }
    try:
        meta = board_meta(plan)
    except PluginError:
        meta = BoardMeta(title=preset.title, preset=name)
    return Offered(preset, tasks, meta.model_copy(update={"about": about_listed(preset)}))


def _metrics(task: PlannedTask) -> tuple[str, ...] | None:
    """Names of a task's metrics; None where only the data tells."""
    try:
        return tuple(metric.name for metric in task.metrics)
    except PluginError:
        return None


def _without_data(preset: Preset, registry: Registry) -> Plan:
    """A plan's tasks alone, of which nobody here knows the subjects. Raises ConfigError."""
    plan = Plan(preset)
    for spec in preset.specs("tasks"):
        try:
            component = registry.resolve("tasks", spec, preset.settings.of(""))
            plan.tasks.append(PlannedTask(spec, component, component, component.create(), ()))
        except PluginError as error:
            raise ConfigError(f"preset {preset.name}: {error}") from None
    return plan
