"""What a run will do and how long it will take, before it is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tabulate import tabulate

from impress_bench.benchmark.harness.execution.progress import duration
from impress_bench.benchmark.harness.execution.timings import Probe, Timings, work_key
from impress_bench.benchmark.harness.planning.plan import Plan
from impress_bench.benchmark.harness.planning.spreads import Spread, published
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.store import Store
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.layout import target_of
from impress_bench.leaderboard.render import numbers
from impress_bench.leaderboard.statistics import detectable


@dataclass
class Work:
    """Stages of a plan that do the same work: their number, how many are stored, and the seconds
    that one takes (None: unknown)."""

    kind: str
    component: str
    stages: int = 0
    stored: int = 0
    seconds: float | None = None

    @property
    def missing(self) -> int:
        """Stages still to be run."""
        return self.stages - self.stored


@dataclass(frozen=True)
class Power:
    """What a task's run can find with so many subjects; in units of its primary metric where it is
    published how much subjects differ."""

    subjects: int
    published: tuple[MetricInfo, Spread] | None = None

    @property
    def deviations(self) -> float | None:
        """The difference that four of five runs find, in standard deviations over subjects of the
        paired differences; None for one subject."""
        return detectable(self.subjects)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it; `detectable` is in the metric's units."""
        told: dict[str, Any] = {"subjects": self.subjects, "detectable_sd": self.deviations}
        if self.published is None or self.deviations is None:
            return told
        metric, spread = self.published
        effect = self.deviations * spread.std
        return told | {"detectable": effect, "metric": metric.name, "as_published": spread.preset}

    def text(self) -> str:
        """As a sentence without its subject, the task."""
        if self.deviations is None:
            return "1 subject, from which nothing can be concluded."
        if self.published is None:
            return (
                f"with {self.subjects} subjects, differences of {self.deviations:.1f} of their"
                " standard deviations are found in four of five runs."
            )
        metric, spread = self.published
        effect = numbers([self.deviations * spread.std], metric.percent)[0]
        unit = " percentage points" if metric.percent else f" {metric.unit}" if metric.unit else ""
        return (
            f"with {self.subjects} subjects, an effect of {effect}{unit} in {metric.title} would be"
            " found in four of five runs, if subjects differ as in the published"
            f" `{spread.preset}`."
        )


@dataclass(frozen=True)
class Forecast:
    """`cells` of the plan, `cells_done` of them with stored scores, and the work in plan order.
    `gpus` are those that one stage of each kind asks for; None if stages run on the CPU. `power`
    is by task."""

    cells: int
    cells_done: int
    work: list[Work] = field(default_factory=list)
    workers: int = 1
    gpus: Mapping[str, float] | None = None
    power: Mapping[str, Power] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Estimated wall time of the missing stages whose duration is known, shared by the
        workers."""
        return sum(item.missing * (item.seconds or 0.0) for item in self.work) / self.workers

    @property
    def gpu_hours(self) -> float | None:
        """Estimated GPU-hours of those stages; None if they run on the CPU."""
        if self.gpus is None:
            return None
        held = (item.missing * (item.seconds or 0.0) * self.gpus[item.kind] for item in self.work)
        return sum(held) / 3600

    @property
    def unknown(self) -> int:
        """Missing stages of unknown duration."""
        return sum(item.missing for item in self.work if item.seconds is None)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        fields = ("kind", "component", "stages", "stored", "missing", "seconds")
        return {
            "cells": {"all": self.cells, "stored": self.cells_done},
            "stages": {
                "all": sum(item.stages for item in self.work),
                "stored": sum(item.stored for item in self.work),
                "of unknown duration": self.unknown,
            },
            "workers": self.workers,
            "seconds": self.seconds,
            "gpu_hours": self.gpu_hours,
            "power": {task: power.as_dict() for task, power in self.power.items()},
            "work": [{name: getattr(item, name) for name in fields} for item in self.work],
        }

    def lines(self) -> list[str]:
        """As a table with a summary line."""
        rows = [("stage", "component", "stored", "to run", "each", "together")]
        for item in self.work:
            each = "unknown" if item.seconds is None else f"{item.seconds:.1f} s"
            together = "" if item.seconds is None else duration(item.missing * item.seconds)
            shown = (each, together) if item.missing else ("", "")
            rows.append((item.kind, item.component, f"{item.stored}", f"{item.missing}", *shown))
        table = tabulate(rows, tablefmt="plain", disable_numparse=True).split("\n")
        lacking = f", and {self.unknown} stages of unknown duration" if self.unknown else ""
        cells = f"{self.cells} cells, {self.cells_done} of them stored"
        workers = f"{self.workers} worker{'s' * (self.workers != 1)}"
        gpus = "" if self.gpu_hours is None else f", {self.gpu_hours:.2f} GPU-hours"
        return [
            *[line.rstrip() for line in table],
            *[f"{task}: {power.text()}" for task, power in self.power.items()],
            f"{cells}. Estimated time: {duration(self.seconds)} for {workers}{gpus}{lacking}.",
        ]


def _power(plan: Plan) -> dict[str, Power]:
    """By task, what a run of the plan can find."""
    places = dict.fromkeys((cell.place.task, cell.place.subject) for cell in plan.cells)
    primary = {
        task.name: metric
        for task in plan.tasks
        for metric in (*task.task.scaled, *task.metrics)
        if metric.primary
    }
    found: dict[str, Power] = {}
    for task, subjects in Counter(task for task, _ in places).items():
        model = target_of(task) or plan.preset.models.target
        metric = primary.get(task)
        spread = None if metric is None else published(model, task, metric.name)
        known = None if metric is None or spread is None else (metric, spread)
        found[task] = Power(subjects, known)
    return found


def forecast(
    plan: Plan,
    store: Store,
    timings: Timings,
    patience: float,
    notify: Callable[[str], None] = lambda message: None,
    workers: int = 1,
) -> Forecast:
    """What running a plan will do and take.

    For work of unknown duration one stage is run for its first `patience` seconds (0: none is);
    `notify` gets a message before each.
    """
    stored = plan.stored(store)
    work: dict[str, Work] = {}
    keys: dict[Hashable, str] = {}
    samples: dict[str, Stage] = {}
    originals: dict[tuple[str, str], Stage] = {}
    for name, stage in plan.stages.items():
        likeness = stage.likeness or name
        if (key := keys.get(likeness)) is None:
            key = keys[likeness] = work_key(stage)
            work.setdefault(key, Work(stage.kind, stage.component))
        item = work[key]
        item.stages += 1
        if name in stored:
            item.stored += 1
        elif item.missing == 1:
            samples[key] = stage
        if stage.kind == "original":
            originals[stage.task_name, stage.subject] = stage
    preset = plan.preset
    probe = Probe(
        preset.models.roles(),
        patience,
        device=preset.device,
        numerics=preset.numerics.chosen(),
    )
    for key, stage in samples.items():
        work[key].seconds = timings.known(stage)
        if work[key].seconds is None and patience > 0:
            notify(f"timing {stage.kind} {stage.component}")
            original = originals[stage.task_name, stage.subject]
            work[key].seconds = probe.seconds(stage, original)
    done = sum(cell.score is not None and cell.score.key in stored for cell in plan.cells)
    kinds = {item.kind for item in work.values()}
    gpus = None if preset.device == "cpu" else {kind: preset.gpus(kind) for kind in kinds}
    return Forecast(len(plan.cells), done, list(work.values()), workers, gpus, _power(plan))
