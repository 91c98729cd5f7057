"""From cells to entries, one per condition and metric, and from entries to records of boards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, TypedDict

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.statistics import (
    Summary,
    subject_means,
    summarize,
    summarize_shares,
)

# The gravest first: the state of an entry whose cells ended in several states.
GRAVITY = [
    State.FAILED,
    State.TIMEOUT,
    State.OVER_BUDGET,
    State.MISSING,
    State.SKIPPED,
    State.DONE,
]


class Key(NamedTuple):
    """A condition and what was measured under it."""

    protection: str
    purifier: str
    metric: str


class Record(TypedDict):
    """One line of a board's JSON; None is absent.

    Numbers beside a state other than done cover only part of the cells, and `reason` says which
    part is lacking. `p` is that of a tested comparison.
    """

    table: str
    task: str
    protection: str
    purifier: str
    metric: str
    n: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    p: float | None
    higher_is_better: bool | None
    state: str
    reason: str | None


@dataclass(frozen=True)
class Entry:
    """What was measured under one condition.

    `by_subject` has one value per subject, the mean of its `values` over seeds or images; `state`
    is how the cells ended, the gravest state if they differ, and `reason` explains it.
    """

    by_subject: dict[str, float] = field(default_factory=dict)
    state: str = State.MISSING.value
    reason: str | None = None
    values: dict[str, list[float]] = field(default_factory=dict)

    @property
    def summary(self) -> Summary:
        """Statistics over subjects."""
        return summarize(list(self.by_subject.values()))

    def summary_of(self, metric: MetricInfo) -> Summary:
        """Statistics over subjects, with the interval that fits the metric."""
        seeds = min((len(values) for values in self.values.values()), default=1)
        return summary_of(list(self.by_subject.values()), metric, seeds)


def summary_of(values: Sequence[float], metric: MetricInfo, seeds: int = 1) -> Summary:
    """Statistics of one value per subject, the mean of `seeds` scores, with the interval that fits
    the metric: of shares the one that keeps to their scale."""
    if metric.percent and metric.images:
        return summarize_shares(values, seeds * metric.images)
    return summarize(values)


#: What `collect` reads of a table whose values are scores or were given that form.
READ = ("subject", "protection", "purifier", "metric", "value", "state", "reason")
ABSENT = Entry(reason="not run")


def collect(
    frame: pd.DataFrame,
    task: str,
    metrics: Collection[str] = (),
    measured: Collection[str] = (State.DONE,),
) -> dict[Key, Entry]:
    """The entries of one task.

    Parameters:
        frame: Rows with the columns task, subject, protection, purifier, metric and value, and
            optionally state (by default done) and reason. A row without a metric, whose cell ended
            before it was scored, stands for all of `metrics` and all metrics of other rows.
        task: The task whose rows are read.
        metrics: Metrics that entries are wanted for even if no row has them.
        measured: The states whose values count.

    A subject of the task without a row for a condition is missing from that entry.
    """
    rows = frame[frame["task"] == task]
    columns = [_column(rows, name) for name in READ]
    subjects = {str(subject) for subject in set(columns[0])}
    known = sorted({str(name) for name in set(columns[3]) if _given(name)} | set(metrics))
    grouped: dict[Key, list[tuple[str, str, str, float]]] = {}
    for subject, protection, purifier, name, number, ended, why in zip(*columns, strict=True):
        state, reason = str(ended), str(why) if _given(why) else ""
        value = float(number) if _given(number) else math.nan
        if state in measured and not math.isfinite(value):
            state, reason = State.FAILED.value, reason or f"the value is {value}"
        for metric in [str(name)] if _given(name) else known:
            key = Key(str(protection), str(purifier), metric)
            grouped.setdefault(key, []).append((str(subject), state, reason, value))
    return {key: _entry(sorted(grouped[key]), subjects, measured) for key in sorted(grouped)}


def _column(rows: pd.DataFrame, name: str) -> list[Any]:
    """A column as Python objects; states and reasons may be left out. Converted at once, since one
    value at a time takes ten times as long."""
    if name not in rows:
        return [{"state": State.DONE, "reason": None}[name]] * len(rows)
    return list(rows[name].to_numpy(dtype=object))


def differing(*entries: Entry) -> tuple[str, str | None]:
    """State and reason of a value computed from several entries: those of the gravest state."""
    worst = min(entries, key=lambda entry: GRAVITY.index(State(entry.state)))
    return worst.state, worst.reason


def record(
    table: str,
    task: str,
    key: Key,
    summary: Summary,
    higher_is_better: bool | None,
    state: str = State.DONE.value,
    reason: str | None = None,
    p: float | None = None,
) -> Record:
    """The record of one summary on the board `table`."""
    return {
        "table": table,
        "task": task,
        "protection": key.protection,
        "purifier": key.purifier,
        "metric": key.metric,
        **asdict(summary),  # type: ignore[typeddict-item]
        "p": p,
        "higher_is_better": higher_is_better,
        "state": state,
        "reason": reason,
    }


def entry_records(
    table: str,
    task: str,
    entries: Mapping[Key, Entry],
    conditions: Iterable[tuple[str, str]],
    metrics: Sequence[MetricInfo],
) -> list[Record]:
    """The records of entries under `conditions`, pairs of protection and purifier; conditions
    without an entry are missing."""
    keys = [(Key(*condition, item.name), item) for condition in conditions for item in metrics]
    return [
        record(
            table,
            task,
            key,
            entry.summary_of(item),
            item.higher_is_better,
            entry.state,
            entry.reason,
        )
        for key, item in keys
        for entry in [entries.get(key, ABSENT)]
    ]


def in_order(records: Iterable[Record]) -> list[Record]:
    """The records sorted, each condition of a table once."""
    unique = {
        (one["table"], one["task"], one["protection"], one["purifier"], one["metric"]): one
        for one in records
    }
    return [item for _, item in sorted(unique.items())]


def _given(value: object) -> bool:
    """Whether a value of a data frame is neither missing nor empty."""
    return value is not None and value is not pd.NA and value != "" and value == value


def _entry(
    rows: list[tuple[str, str, str, float]], subjects: set[str], measured: Collection[str]
) -> Entry:
    """An entry from its rows of subject, state, reason and value.

    Rows are sorted with the value last: NaN, which has no order, occurs only once per state. A
    subject without any lacks as many as others have.
    """
    found = Counter(subject for subject, *_ in rows)
    ended = [(state, reason) for _, state, reason, _ in rows]
    lacking = len(subjects - found.keys()) * max(found.values())
    ended += [(State.MISSING.value, "not run")] * lacking
    usable = [(subject, value) for subject, state, _, value in rows if state in measured]
    values: dict[str, list[float]] = {}
    for subject, value in usable:
        values.setdefault(subject, []).append(value)
    states = {state for state, _ in ended}
    worst = min(states, key=lambda state: GRAVITY.index(State(state)))
    reasons = []
    for state in [state for state in GRAVITY if state in states - {State.DONE}]:
        whys = [why for got, why in ended if got == state]
        share = "" if len(states) == 1 else f"{len(whys)} of {len(ended)} {state}"
        why = "; ".join(sorted(set(whys) - {""})[:2])
        reasons.append(": ".join(part for part in (share, why) if part))
    return Entry(subject_means(usable), worst, "; ".join(reasons) or None, values)
