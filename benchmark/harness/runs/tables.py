"""Outcomes as tables, which boards, pictures and notebooks read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.contract import NORMS, PluginError, State
from impress_bench.benchmark.harness.execution.stage_runner import Outcome
from impress_bench.benchmark.harness.planning.plan import Cell, Plan
from impress_bench.benchmark.harness.stages.base import Stage
from impress_bench.benchmark.harness.storage.atomic_files import write_atomically
from impress_bench.leaderboard.schema import CELLS, INSPECTIONS, NOTES, PROTECTIONS

Outcomes = Mapping[str, Outcome]


class Frames(NamedTuple):
    """The tables of a run, named as the files in its folder."""

    cells: pd.DataFrame
    protections: pd.DataFrame
    inspections: pd.DataFrame
    notes: pd.DataFrame


def frames_of(plan: Plan, outcomes: Outcomes) -> Frames:
    """The tables of the outcomes so far."""
    return Frames(
        cells_frame(plan, outcomes),
        protections_frame(plan, outcomes),
        inspections_frame(plan, outcomes),
        notes_frame(plan, outcomes),
    )


def cells_frame(plan: Plan, outcomes: Outcomes) -> pd.DataFrame:
    """One row per metric of every cell; a cell without an outcome yet has the state `missing`."""
    metrics = {task.name: [metric.name for metric in task.metrics] for task in plan.tasks}
    rows: list[tuple[Any, ...]] = []
    for cell in plan.cells:
        place = cell.place
        where = (place.task, place.subject, place.protection, place.purifier, place.seed)
        ending = _ending(cell, outcomes)
        failures = _failures(cell, outcomes)
        for metric in metrics[place.task]:
            state, reason, scores = ending
            if metric in failures:
                state, reason = State.FAILED, failures[metric]
            if metric in cell.measured:
                state, reason, scores = _measured(metric, cell.measured[metric], outcomes)
            rows.append((*where, metric, scores.get(metric, float("nan")), str(state), reason))
    return CELLS.frame(rows)


def protections_frame(plan: Plan, outcomes: Outcomes) -> pd.DataFrame:
    """Distances per protection and image; a protection that failed has one row without numbers."""
    rows: list[tuple[Any, ...]] = []
    nothing = (float("nan"),) * len(NORMS)
    for cell in plan.protections:
        where = (cell.place.task, cell.place.subject, cell.place.protection)
        outcome = outcomes.get(cell.protected.key) if cell.protected else None
        if outcome is not None and outcome.record is not None:
            record = outcome.record
            for index, name in enumerate(record["names"]):
                distances = [record[norm][index] for norm in NORMS]
                rows.append((*where, name, *distances, record["states"][index]))
        elif outcome is not None:
            rows.append((*where, "", *nothing, str(outcome.state)))
        elif cell.protected is None and cell.failure is not None:
            rows.append((*where, "", *nothing, str(cell.failure.state)))
    return PROTECTIONS.frame(rows)


def inspections_frame(plan: Plan, outcomes: Outcomes) -> pd.DataFrame:
    """The measures of every inspected image, one row each."""
    rows: list[tuple[Any, ...]] = []
    for cell, stage in plan.inspections:
        outcome = outcomes.get(stage.key)
        if outcome is None or outcome.record is None:
            continue
        place = cell.place
        for measure, values in outcome.record["measures"].items():
            for name, value in zip(outcome.record["names"], values, strict=True):
                where = (place.task, place.subject, place.protection, place.purifier)
                rows.append((*where, name, measure, value))
    return INSPECTIONS.frame(rows)


def notes_frame(plan: Plan, outcomes: Outcomes) -> pd.DataFrame:
    """What protections and purifiers recorded about each image by `context.note`."""
    # A purifier has a cell per seed, and one result for all of them.
    noting = {cell.place._replace(purifier="", seed=None): cell.protected
              for cell in plan.protections}  # fmt: skip
    noting |= {cell.place._replace(seed=None): cell.purified for cell in plan.cells}
    rows: list[tuple[Any, ...]] = []
    for place, stage in noting.items():
        outcome = outcomes.get(stage.key) if stage else None
        if outcome is None or outcome.record is None:
            continue
        for note, values in outcome.record["notes"].items():
            for name, value in zip(outcome.record["names"], values, strict=True):
                rows.append((*place[:4], name, note, value))
    return NOTES.frame(rows)


def save_frames(frames: Frames, folder: Path) -> None:
    """Write the tables as Parquet files, for `load_frames`."""
    for name, frame in frames._asdict().items():
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_atomically(folder / f"{name}.parquet", buffer.getvalue())


def load_frames(folder: Path) -> Frames:
    """The tables of a run. Raises OSError or ValueError.

    Notes that were stored before purifiers had any are those of protections.
    """
    frames = Frames(*(pd.read_parquet(folder / f"{name}.parquet") for name in Frames._fields))
    if "purifier" not in frames.notes:
        notes = frames.notes.assign(purifier="").reindex(columns=NOTES.columns)
        frames = frames._replace(notes=notes)
    return frames


def _ending(cell: Cell, outcomes: Outcomes) -> tuple[State, str, Mapping[str, float]]:
    if cell.failure is not None:
        return cell.failure.state, str(cell.failure), {}
    outcome = outcomes.get(cell.score.key) if cell.score else None
    if outcome is None:
        return State.MISSING, "not run yet", {}
    scores = outcome.record["scores"] if outcome.record is not None else {}
    return outcome.state, outcome.reason, scores


def _failures(cell: Cell, outcomes: Outcomes) -> Mapping[str, str]:
    """The reasons of a cell's metrics that have no value while others of it have."""
    outcome = outcomes.get(cell.score.key) if cell.score else None
    if outcome is None or outcome.record is None:
        return {}
    failures: Mapping[str, str] = outcome.record.get("failures", {})
    return failures


def _measured(
    name: str, stage: Stage | PluginError, outcomes: Outcomes
) -> tuple[State, str, Mapping[str, float]]:
    """How a metric that the preset adds ended, which may differ from the task's own."""
    if isinstance(stage, PluginError):
        return stage.state, str(stage), {}
    outcome = outcomes.get(stage.key)
    if outcome is None:
        return State.MISSING, "not run yet", {}
    values = {} if outcome.record is None else {name: outcome.record["value"]}
    return outcome.state, outcome.reason, values
