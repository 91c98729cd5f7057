"""A run beside the IMPRESS paper, in the layout of its tables: which orders agree, and which sizes.

Cao et al. 2023, Tables 1 to 6. Where the run's model is not the paper's, only orders can agree: the
sizes say how far the two worlds are apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import ABSENT, Entry, Record, entry_records
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.findings.variants import Task, measured
from impress_bench.leaderboard.layout import Layout, parsed, subjects_text
from impress_bench.leaderboard.paper import refines
from impress_bench.leaderboard.paper_grids import Condition, Grid, grids
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text
from impress_bench.leaderboard.statistics import paired_difference

NAME = "against-the-paper"
TEXT = (
    "The paper's tables with two figures in each cell: the paper's mean, then this run's, mean ± "
    "standard deviation over subjects. Each pair of conditions whose means differ in the paper has "
    "an order. It holds here or is reversed if the 95 % interval of the paired difference lies on "
    "one side of 0; else it is undecided, as it is with fewer than six subjects. Conditions that "
    "the run does not have count for no order."
)
MINIATURE = (
    " The model of this run is a miniature: agreement in order is what it can show, agreement in "
    "size would be chance."
)
#: What the two figures of a cell are, above the names of metrics.
CORNER = "The paper / this run"


class Met(NamedTuple):
    """A condition that both have: the run's names for it, the paper's mean, the run's entry."""

    condition: Condition
    theirs: float
    ours: Entry


def build(cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `cells`; None if the run has fewer than two conditions of every
    table."""
    blocks: list[Block] = []
    records: list[Record] = []
    tasks = {part: measured(cells, part, layout) for part in ("mimicry", "editing")}
    for grid in grids(layout):
        task = tasks[grid.part]
        found: dict[MetricInfo, dict[Condition, Met]] = {}
        for metric in task.metrics:
            met = _met(grid.means.get(metric.name, {}), task, metric)
            if len(met) > 1:
                found[metric] = met
                conditions = [one.condition for one in met.values()]
                records += entry_records(NAME, task.name, task.entries, conditions, [metric])
        # Without adapted rows a run has of Tables 4 to 6 but what Table 1 shows.
        adapted = any(parsed(key[0]).adaptations for met in found.values() for key in met)
        if found and (adapted or not grid.below):
            blocks.append(_block(grid, found, task, layout))
    text = TEXT + MINIATURE * layout.meta.model_is_miniature
    return Board(NAME, "Against the paper", text, blocks, records) if blocks else None


def _met(theirs: Mapping[Condition, float], task: Task, metric: MetricInfo) -> dict[Condition, Met]:
    """By the paper's names, the conditions of a metric that the run has too; where the run has
    several, the first on display."""
    met = {}
    for (protection, purifier), mean in theirs.items():
        found = [
            (key, entry)
            for name in task.protections
            if refines(parsed(name), parsed(protection))
            for key, entry in task.entries.items()
            if key.protection == name
            and key.metric == metric.name
            and refines(parsed(key.purifier), parsed(purifier))
            and entry.summary.mean is not None
        ]
        if found:
            key, entry = found[0]
            met[protection, purifier] = Met((key.protection, key.purifier), mean, entry)
    return met


def _block(
    grid: Grid, found: Mapping[MetricInfo, Mapping[Condition, Met]], task: Task, layout: Layout
) -> Block:
    """One table of the paper: the metrics that the run has too, in the paper's rows and columns."""
    footnotes = Footnotes()
    heads = [CORNER, *_heads(grid, list(found.values()), layout, footnotes)]
    rows = [["", *grid.below]] if grid.below else []
    for metric, met in found.items():
        for told, conditions in grid.lines.items():
            texts = [_cell(grid, metric, one, met.get(one), task, footnotes) for one in conditions]
            rows.append([", ".join(filter(None, [metric.title, told])), *texts])
    verdicts = [
        f"{metric.title}, {_agreement(list(met.values()), layout)}" for metric, met in found.items()
    ]
    heading = f"{grid.title}: {layout.title(task.name)}"
    return Block(heading, heads, rows, " ".join(verdicts), footnotes)


def _heads(
    grid: Grid, found: Sequence[Mapping[Condition, Met]], layout: Layout, footnotes: Footnotes
) -> list[str]:
    """The paper's heads. Where the run's name says more, its settings, the first has a note."""
    heads, noted = list(grid.heads), set[str]()
    for at, condition in [place for line in grid.lines.values() for place in enumerate(line)]:
        for ours in [met[condition].condition for met in found if condition in met]:
            for name, theirs in zip(ours, condition, strict=True):
                title = layout.title(name)
                if title != layout.title(theirs) and title not in noted:
                    noted.add(title)
                    above = max(i for i in range(at + 1) if heads[i])
                    heads[above] += f" {footnotes.mark(f'In this run {title}')}"
    return heads


def _cell(
    grid: Grid,
    metric: MetricInfo,
    condition: Condition,
    met: Met | None,
    task: Task,
    footnotes: Footnotes,
) -> str:
    """The paper's mean and the run's score; "" where the paper has none."""
    theirs = grid.means[metric.name].get(condition)
    if theirs is None:
        return ""
    ours = entry_text(met.ours if met else ABSENT, metric.percent, footnotes, task.subjects)
    return f"{theirs:.{1 if metric.percent else 2}f} / {ours}"


def _agreement(met: list[Met], layout: Layout) -> str:
    """How many of the paper's orders this run has, has not, and cannot decide."""
    holds, undecided, few, reverse = 0, 0, 0, []
    pairs = [pair for pair in combinations(met, 2) if pair[0].theirs != pair[1].theirs]
    for pair in pairs:
        below, above = sorted(pair, key=lambda one: one.theirs)
        side = side_of(paired_difference(above.ours.by_subject, below.ours.by_subject))
        holds += side == 1
        undecided += side in (0, None)
        few += side is None
        if side == -1:
            names = (layout.condition(*one.condition) for one in (below, above))
            reverse.append(" over ".join(names))
    if not pairs:
        return "the paper's means do not differ: there is no order to find again."
    orders = f"{len(pairs)} order{'s' * (len(pairs) != 1)}"
    if few == len(pairs):
        most = subjects_text(max(len(one.ours.by_subject) for one in met))
        return f"{most}, too few to decide on the paper's {orders}."
    text = f"of the paper's {orders}: {holds} hold here, {undecided} undecided"
    text += f" ({few} for lack of subjects)" * bool(few)
    return f"{text}, {len(reverse)} reversed" + (f" ({'; '.join(reverse)})." if reverse else ".")
