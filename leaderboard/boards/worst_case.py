"""The worst case of every protection over all purifiers, and whether the protection survives it.

The oracle among purifiers: an attacker who sees the scores tries several and keeps the best; what
one without scores achieves is the row of the purifier `auto`. The best of many noisy scores
overstates what that purifier achieves, so it is chosen for each subject on the first seed and
scored on the other seeds. Noise is treated in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.coverage import coverage_text
from impress_bench.leaderboard.entries import Key, Record, record, summary_of
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.findings.reasons import not_primary
from impress_bench.leaderboard.findings.verdicts import survival_verdict
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, interval_text, numbers
from impress_bench.leaderboard.statistics import (
    Summary,
    paired_difference,
)

NAME = "worst-case"
TEXT = (
    "The oracle row, for an attacker who sees the scores: the purifier that serves the exploit "
    "best is chosen for each subject on the first seed and scored on the other seeds. A protection "
    "survives if the exploit does better against noise of the same visibility, for which one of "
    "the same choices is picked in the same way, as far as they were run on it: the 95 % interval "
    "of the paired difference lies above 0. Noise may stay as it is where that serves the exploit "
    "best, so that a protection can survive here and not at a glance, where one purifier treats "
    "both. Choices: how many a row has, leaving the images as they are among them; only what was "
    "run for every subject counts. A row with fewer choices met a weaker attacker: its score does "
    "not compare with those of rows with more."
)
UNSCORED = (
    "Clean images have no row: they are best left as they are, which has no score where others are "
    "compared with it."
)
LACKING = (
    "The worst case over purifiers needs two seeds, one to choose on and one to score on; this run "
    "has one. Run the preset again with `--seeds 0,1`; stored results are used again."
)


class Worst(NamedTuple):
    """By subject: the score under the purifier chosen on another seed, and which that was; all that
    could be chosen."""

    scores: Mapping[str, float]
    chosen: Mapping[str, str]
    choices: frozenset[str] = frozenset()


def build(cells: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `cells`; an explanation alone if there is one seed, and None with
    fewer than two purifiers."""
    done = cells[(cells["state"] == State.DONE) & (cells["purifier"] != "")]
    if done["purifier"].nunique() < 2:
        return None
    if done["seed"].nunique() < 2:
        return Board(NAME, "Worst case over purifiers", LACKING, [], [])
    blocks: list[Block] = []
    records: list[Record] = []
    sizes: list[int] = []
    for task in sorted(set(done["task"])):
        rows = done[done["task"] == task]
        sizes.append(rows["subject"].nunique())
        metrics = layout.metrics(task, set(rows["metric"]))
        for metric in metrics:
            if metric.higher_is_better is None:
                continue
            own, reason = rows[rows["metric"] == metric.name], not_primary(metric, metrics)
            block, found = _block(own, task, metric, layout, reason)
            blocks.append(block)
            records += found
    text = " ".join(filter(None, [TEXT, coverage_text(sizes, "difference")]))
    return Board(NAME, "Worst case over purifiers", text, blocks, records)


def worst(
    rows: pd.DataFrame, higher_is_better: bool, among: Collection[str] | None = None
) -> Worst:
    """The worst case of one protection from `rows`, its cells of one metric.

    `higher_is_better` is the direction of a successful exploit. `among` are the purifiers to choose
    from, by default all.
    """
    if among is not None:
        rows = rows[rows["purifier"].isin(list(among))]
    subjects = rows["subject"].nunique()
    covered = rows.groupby("purifier")["subject"].nunique()
    choices = covered[covered == subjects].index
    rows = rows[rows["purifier"].isin(choices)]
    if rows.empty:  # a run that is under way: no purifier has met every subject yet
        return Worst({}, {})
    by, first = ["subject", "purifier"], min(rows["seed"])
    known = rows[rows["seed"] == first].set_index(by)["value"]
    others = rows[rows["seed"] != first].groupby(by)["value"].mean()
    # One table of subjects by purifiers: a frame per subject would take most of the time.
    known = known[known.index.isin(others.index)]
    if known.empty:
        return Worst({}, {})
    table = known.unstack()
    chosen = table.idxmax(axis=1) if higher_is_better else table.idxmin(axis=1)
    scores = {str(pair[0]): float(others[pair]) for pair in chosen.items()}
    picked = {str(subject): str(purifier) for subject, purifier in chosen.items()}
    return Worst(scores, picked, frozenset(map(str, choices)))


def _block(
    rows: pd.DataFrame, task: str, metric: MetricInfo, layout: Layout, reason: str
) -> tuple[Block, list[Record]]:
    """One metric, with one row per protection; `reason` is why it concludes nothing, if so."""
    upward = bool(metric.higher_is_better)
    names = layout.protections(str(name) for name in rows["protection"])
    by_name = {name: rows[rows["protection"] == name] for name in names}
    found = {name: worst(by_name[name], upward) for name in names}
    most = max(len(one.choices) for one in found.values())
    lines, records, survivals, unscored = [], [], {}, False
    for name in names:
        choices = found[name].choices
        if layout.kind(name) == "clean" and layout.roles.no_purifier not in choices:
            unscored = True
            continue
        scores = list(found[name].scores.values())
        summary = summary_of(scores, metric)
        records.append(record(NAME, task, Key(name, "", metric.name), summary, upward))
        survival, verdict = Summary(0), ""
        noise = next((other for other in names if layout.matches(other, name)), None)
        if noise is not None and layout.kind(name) == "protection":
            # Of more choices noise would make more, and the protection would seem to take it.
            alike = worst(by_name[noise], upward, among=choices)
            pair = (alike.scores, found[name].scores)
            survival = paired_difference(*(pair if upward else pair[::-1]))
            verdict = _verdict(survival)
            fewer = f" ({len(choices)} choices)" if len(choices) < most else ""
            survivals[layout.title(name) + fewer] = survival
            key = Key(f"{noise} - {name}", "", metric.name)
            records.append(record(f"{NAME}-survival", task, key, survival, upward))
        picked = Counter(layout.title(purifier) for purifier in found[name].chosen.values())
        favourites = ", ".join(f"{title} {count}" for title, count in picked.most_common())
        mean = [v for v in (summary.mean, summary.std) if v is not None]
        text = " ± ".join(numbers(mean, metric.percent)) if mean else "–"
        lines.append(
            [
                layout.title(name), text, str(summary.n), str(len(choices)), favourites,
                interval_text(survival, metric.percent), verdict,
            ]
        )  # fmt: skip
    headers = [
        "Protection", "Worst case", "n", "Choices", "Chosen, by subjects", "Noise − protection", "",
    ]  # fmt: skip
    texts = [reason or survival_verdict(survivals), UNSCORED * unscored]
    text = " ".join(filter(None, texts))
    return Block(f"{layout.title(task)}: {metric.title}", headers, lines, text), records


def _verdict(survival: Summary) -> str:
    side = side_of(survival)
    if side is None:
        return "too few subjects" if 0 < survival.n < FEW else "unknown"
    return "survives" if side == 1 else "not shown to survive"
