"""Where a submission stands: in which published results, and in which order those are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.harness.runs.folder import Part, difference, shared_places
from impress_bench.benchmark.submissions.model import Submission
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.layout import Layout, parsed, target_of
from impress_bench.leaderboard.meta import BoardMeta


class Sent(NamedTuple):
    """A submission, where its figures come from, the figures, and what came out differently when it
    was measured again: None if nobody did."""

    submission: Submission
    origin: dict[str, Any]
    cells: pd.DataFrame
    distances: pd.DataFrame
    meta: BoardMeta
    complaints: list[str] | None = None


def home(sent: Sent, parts: Sequence[Part]) -> Part | None:
    """The published results in whose tables a submission that was measured again stands: of those
    that agree with it in all that cells depend on and in the seeds, those that share most subjects
    with it, of equals the first; None if none does."""
    shared = {}
    for at, part in enumerate(parts):
        places = shared_places(sent.cells, part.frames.cells)
        if (
            places
            and not _other_seeds(sent.cells, part.frames.cells)
            and not any(
                difference(origin, sent.origin, libraries=False, remarks=False)
                for origin in part.origins
            )
        ):
            shared[at] = len(places)
    return parts[max(shared, key=lambda at: shared[at])] if shared else None


def _other_seeds(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether a task that both tables of cells have was exploited with other seeds in one of them:
    what stands in one table has met the same noise."""
    seeds = [
        {task: set(rows["seed"]) for task, rows in frame.groupby("task")} for frame in (one, other)
    ]
    return any(seeds[0][task] != seeds[1][task] for task in seeds[0].keys() & seeds[1].keys())


def added(sent: Sent, part: Part) -> Sent:
    """What a submission brings into the tables of published results: a protection its own rows and
    the noise that they are measured against, a purifier its cells of the protections there. What
    else it was compared with is published, and for more subjects."""
    column = sent.cells[sent.submission.kind]
    names = list(dict.fromkeys(column))
    own = [name for name in names if parsed(name).name == sent.submission.name]
    if sent.submission.kind == "protection":
        layout = Layout(sent.meta)
        own += [name for name in names if any(layout.matches(name, one) for one in own)]
        kept = column.isin(own)
    else:
        there = set(_rows(part.frames.cells))
        known = [row in there for row in _rows(sent.cells)]
        kept = column.isin(own) & pd.Series(known, index=column.index)
    cells = sent.cells[kept]
    places = set(_rows(cells, "subject"))
    moved = [row in places for row in _rows(sent.distances, "subject")]
    return sent._replace(cells=cells, distances=sent.distances[moved])


def _rows(frame: pd.DataFrame, *further: str) -> Iterator[tuple[str, ...]]:
    """Task and protection of each line of a table, and `further` columns."""
    return frame[["task", "protection", *further]].itertuples(index=False, name=None)


def alike(sent: Sequence[Sent]) -> list[list[Sent]]:
    """Those that may share a table."""
    groups: list[list[Sent]] = []
    for one in sent:
        for group in groups:
            if not difference(group[0].origin, one.origin, False):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def reading_order(part: Part, parts: Sequence[Part]) -> tuple[bool, bool, bool, bool, int]:
    """What is read first: results of which some task can conclude, of one model, of the latest
    version of it that was published, of which all tasks can conclude, of the most subjects."""
    subjects = part.frames.cells.groupby("task")["subject"].nunique()
    enough = subjects[subjects >= FEW]
    several = any(target_of(task) is not None for task in subjects.index)
    replaced = any(_replaced_by(part, other) for other in parts)
    return enough.empty, several, replaced, len(enough) < len(subjects), -int(enough.sum())


def _replaced_by(part: Part, other: Part) -> bool:
    """Whether another set of results is of a later version of the same model: of one with the same
    name and other weights, begun later."""
    (name, digest), (others, another) = (
        (model["name"], model["digest"])
        for model in (one.origins[0]["models"]["target"] for one in (part, other))
    )
    begun = [max(origin["started"] for origin in one.origins) for one in (part, other)]
    return bool(name == others and digest != another and begun[0] < begun[1])
