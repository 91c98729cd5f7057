"""Transfer: what protections made on one model take from an exploit that another model carries out.

A task stands here if it was run on several targets, `style-mimicry[target=MODEL]` beside
`style-mimicry`. In the world nobody chooses the model that his works are exploited with.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.coverage import coverage_text
from impress_bench.leaderboard.entries import (
    ABSENT,
    Key,
    Record,
    entry_records,
    record,
)
from impress_bench.leaderboard.findings.ranges import ranges_verdict
from impress_bench.leaderboard.findings.taken import strongest, taken
from impress_bench.leaderboard.findings.variants import Task, measured_task
from impress_bench.leaderboard.findings.verdicts import transfer_verdict
from impress_bench.leaderboard.layout import Layout, headline, parsed, target_of
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text, interval_text
from impress_bench.leaderboard.statistics import Summary

NAME = "transfer"
TEXT = (
    "Rows: what a protection was made on. Columns: the model that it was met on. What it takes is "
    "measured against noise as visible as the protection's plain form, on the same target and "
    "after the same purifier, with a 95 % interval over paired subjects; above 0 it protects. The "
    "worst case is after the purifier with the best mean for the exploit, which is chosen on the "
    "scores that it is shown with; purifiers work on the model that exploits. White box: made on "
    "this model, alone or with others. There is no * here, since none of these differences is "
    "tested; the sentences count intervals that lie above 0 with six subjects or more, without a "
    "correction for the number of cells."
)


class Target(NamedTuple):
    """One of a task's targets, and what was measured there."""

    model: str
    measured: Task


def build(cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `cells`; None if no task was run on several targets."""
    blocks: list[Block] = []
    records: list[Record] = []
    sizes: list[int] = []
    for task, names in _targets(cells, layout).items():
        targets = [Target(model, measured_task(cells, name, layout)) for model, name in names]
        metric = headline(targets[0].measured.metrics)
        if len(targets) < 2 or metric is None:
            continue
        sizes += [target.measured.subjects for target in targets]
        title = f"{layout.title(task)}: {metric.title}"
        shown, found = _scores(targets, metric, layout, f"{title}, before anything is taken")
        blocks.append(shown)
        records += found
        for heading, worst in (("as published", False), ("worst case over purifiers", True)):
            block, found = _taken(targets, metric, layout, f"{title}, {heading}", worst)
            blocks.append(block)
            records += found
    text = " ".join(filter(None, [TEXT, coverage_text(sizes, "difference")]))
    return Board(NAME, "Transfer between models", text, blocks, records) if blocks else None


def _targets(cells: pd.DataFrame, layout: Layout) -> dict[str, list[tuple[str, str]]]:
    """By registered task its targets, in the order of the run, and the names of their cells."""
    order = {name: place for place, name in enumerate(layout.meta.metrics)}
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(set(cells["task"]), key=lambda name: (order.get(name, len(order)), name)):
        target = target_of(name)
        model = layout.meta.model if target is None else target
        found.setdefault(parsed(name).name, []).append((model, name))
    return found


def _scores(
    targets: list[Target], metric: MetricInfo, layout: Layout, heading: str
) -> tuple[Block, list[Record]]:
    """What the exploit of clean images and of noise reaches on each target."""
    none, footnotes, rows = layout.roles.no_purifier, Footnotes(), []
    records: list[Record] = []
    names = dict.fromkeys(name for target in targets for name in target.measured.protections)
    shown = [name for name in names if layout.kind(name) in ("clean", "noise")]
    means: dict[str, dict[str, Summary]] = {}
    for name in shown:
        row = [layout.title(name)]
        for model, measured in targets:
            entry = measured.entries.get(Key(name, none, metric.name), ABSENT)
            row.append(entry_text(entry, metric.percent, footnotes, measured.subjects))
            means.setdefault(row[0], {})[f"on {model}"] = entry.summary
        rows.append(row)
    for _, measured in targets:
        conditions = [(name, none) for name in shown]
        records += entry_records(
            f"{NAME}-scores", measured.name, measured.entries, conditions, [metric]
        )
    headers = ["", *(f"Met on {target.model}" for target in targets)]
    text = ranges_verdict(means, metric.percent, "column")
    return Block(heading, headers, rows, text, footnotes), records


def _taken(
    targets: list[Target], metric: MetricInfo, layout: Layout, heading: str, worst: bool
) -> tuple[Block, list[Record]]:
    """What each protection takes on each target, as published or in the worst case."""
    rows: list[list[str]] = []
    records: list[Record] = []
    cells: list[tuple[bool, Summary]] = []
    names = dict.fromkeys(name for target in targets for name in target.measured.protections)
    for name in (each for each in names if layout.kind(each) == "protection"):
        models = layout.made_on(name)
        row = [layout.title(name), ", ".join(models)]
        for model, measured in targets:
            purifier = layout.roles.no_purifier
            if worst:
                best = strongest(measured.entries, name, metric, layout, among_all=True)
                purifier = purifier if best is None else best[0]
            found = taken(measured.entries, name, purifier, metric, measured.protections, layout)
            if found is None:
                row.append("·")
                continue
            noise, (took, state, reason) = found
            key = Key(f"{noise} - {name}", purifier, metric.name)
            table = f"{NAME}-worst" if worst else NAME
            records.append(
                record(table, measured.name, key, took, metric.higher_is_better, state, reason)
            )
            cells.append((model in models, took))
            after = f", {layout.title(purifier)}" if worst else ""
            box = "white box: " if model in models else ""
            row.append(f"{box}{interval_text(took, metric.percent)}{after}")
        rows.append(row)
    headers = ["", "Made on", *(f"Met on {target.model}" for target in targets)]
    return Block(heading, headers, rows, transfer_verdict(cells)), records
