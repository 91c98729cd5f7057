"""The board at a glance: one row per protection, and whether it survives the headline purifier.

What a protection takes is measured against noise that is as visible, under the same purifier: what
noise takes too is no protection, and what a purifier breaks in any image is no survival.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.coverage import coverage_text
from impress_bench.leaderboard.entries import (
    ABSENT,
    Entry,
    Key,
    Record,
    collect,
    entry_records,
    record,
)
from impress_bench.leaderboard.findings.holding import Survival, holding_verdict
from impress_bench.leaderboard.findings.paired import gains, is_shown
from impress_bench.leaderboard.findings.taken import headline_purifier, strongest, taken, taken_p
from impress_bench.leaderboard.findings.variants import Task, measured_task
from impress_bench.leaderboard.layout import Layout, base, headline, target_of
from impress_bench.leaderboard.render import (
    Block,
    Board,
    Footnotes,
    entry_text,
    interval_text,
    numbers,
    p_text,
    partial_text,
)
from impress_bench.leaderboard.statistics import Summary

NAME = "glance"
TEXT = (
    "What a protection takes from the exploit, which imitates a style or edits a photo. Visible: "
    "LPIPS to the clean image, 0 for none. Takes: how much better the exploit fares against noise "
    "than against the protection, with a 95 % interval over paired subjects; above 0 it protects. "
    "The noise is as visible as the protection; for one that is adapted or has other settings, as "
    "visible as the plain one. {survives}Strongest purifier: the one with the best mean for the "
    "exploit, picked after the run, and that mean; left after it: the same difference after that "
    "purifier. Passes: forward and backward passes through networks that protecting one image "
    "costs. {marks}Intervals are not corrected for the number of rows nor for picking a purifier. "
    "{coverage}n: subjects, where not all were run; the difference is over these alone. A dot: no "
    "value, as for the edit of the clean photo, which other edits are compared with. Blank: not "
    "for this row, which is clean or noise."
)
SURVIVES = (
    "Survives {purifier}: the same difference when {purifier} has purified both the protected and "
    "the noisy images; the preset names this purifier, it is not picked by its scores. Where the "
    "interval holds 0, nothing is shown to be left. p: two-sided sign-flip test of this difference "
    "over subjects, adjusted by Holm's method for the protections of the table that have one. "
)
MARKS = (
    "* marks what is shown to survive: p below .05, an interval beyond 0 and six subjects or more. "
    "No other difference here is tested: their intervals are all that is said of them. "
)


def build(cells: pd.DataFrame, protections: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the tables `cells` and `protections`; None without a protection's cells.

    Tasks that name a target of their own stand on the transfer board, beside the same task of the
    run's model.
    """
    blocks: list[Block] = []
    records: list[Record] = []
    headlines: list[str] = []
    sizes: list[int] = []
    for task in sorted(set(cells["task"])):
        if target_of(task) is not None:
            continue
        found = measured_task(cells, task, layout)
        metric = headline(found.metrics)
        shown = [name for name in found.protections if layout.kind(name) != "control"]
        if metric is None or not any(layout.kind(name) == "protection" for name in shown):
            continue
        visible = visible_entries(protections, task)
        footnotes, rows = Footnotes(), []
        purifiers = [key.purifier for key in found.entries]
        none, purifier = layout.roles.no_purifier, headline_purifier(purifiers, layout)
        conditions = [none] if purifier == "" else [none, purifier]
        headlines += [layout.title(base(purifier))] * bool(purifier)
        headers = _headers(found, purifier, metric, shown, layout, footnotes)
        survivals: dict[str, Survival] = {}
        tested = taken_p(found.entries, purifier, metric, shown, layout) if purifier else {}
        sizes.append(found.subjects)
        for name in shown:
            p = tested.get(name)
            row, survival, told = _row(
                found, name, conditions, p, visible, metric, layout, footnotes
            )
            rows.append(row)
            records += told
            if survival is not None:
                survivals[layout.title(name)] = survival
        unit = f" in {metric.unit}" if metric.unit and not metric.percent else ""
        heading = f"{layout.title(task)}: {metric.title}{unit}, {_direction(metric)}"
        onward = layout.meta.next_preset
        text = holding_verdict(survivals, layout.title(purifier), metric, onward)
        blocks.append(Block(heading, headers, rows, text, footnotes))
        unpurified = [(name, none) for name in shown]
        records += entry_records(f"{NAME}-scores", task, found.entries, unpurified, [metric])
    survived = " or ".join(dict.fromkeys(headlines))
    coverage = coverage_text(sizes, "difference")
    text = TEXT.format(
        survives=SURVIVES.format(purifier=survived) if survived else "",
        marks=MARKS if survived else "",
        coverage=f"{coverage} " if coverage else "",
    )
    return Board(NAME, "At a glance", text, blocks, records) if blocks else None


def _headers(
    found: Task,
    purifier: str,
    metric: MetricInfo,
    shown: list[str],
    layout: Layout,
    footnotes: Footnotes,
) -> list[str]:
    """The heads of the columns, with notes on what the metric and each purifier named there are."""
    best = [strongest(found.entries, name, metric, layout) for name in shown
            if layout.kind(name) == "protection"]  # fmt: skip
    meaning, named = layout.meaning(found.name, metric), layout.about("purifier", purifier)
    others = [text for one in best if one is not None for text in layout.about("purifier", one[0])]
    columns: list[tuple[str, list[str]]]
    columns = [("", []), ("Visible", []), (metric.title, [meaning] * bool(meaning)), ("Takes", [])]
    columns += [(f"Survives {layout.title(purifier)}", named), ("p", [])] * bool(purifier)
    columns += [("Strongest purifier", [one for one in others if one not in named])]
    columns += [("Left after it", []), ("Passes", [])]
    return [" ".join([head, *dict.fromkeys(map(footnotes.mark, notes))]) for head, notes in columns]


def _row(
    found: Task,
    name: str,
    conditions: list[str],
    p: float | None,
    visible: Mapping[Key, Entry],
    metric: MetricInfo,
    layout: Layout,
    footnotes: Footnotes,
) -> tuple[list[str], Survival | None, list[Record]]:
    """The row of one protection, what of it survives (None: it is no protection, or has no matched
    noise), and the records of both. `p` is that of what survives the second of `conditions`."""
    own = found.entries.get(Key(name, conditions[0], metric.name), ABSENT)
    seen = _number(visible.get(Key(name, "", "lpips"), ABSENT).summary.mean)
    score = "·" if own is ABSENT else entry_text(own, metric.percent, footnotes, found.subjects)
    records: list[Record] = []
    differences: dict[str, Summary] = {}
    left: dict[str, float] = {}
    best = strongest(found.entries, name, metric, layout)
    hardest = None if best is None or layout.kind(name) != "protection" else best[0]
    texts: dict[str, str] = {}
    for state in dict.fromkeys([*conditions, *([] if hardest is None else [hardest])]):
        result = taken(found.entries, name, state, metric, found.protections, layout)
        if result is None:
            texts[state] = _lacking(found, name, state, metric, layout)
            continue
        against, (difference, ended, why) = result
        differences[state] = difference
        texts[state] = interval_text(difference, metric.percent)
        texts[state] += partial_text(difference.n, found.subjects)
        if state in conditions:
            left = gains(found.entries, (against, state), (name, state), metric)
        key = Key(f"{against} - {name}", state, metric.name)
        higher = metric.higher_is_better
        told = p if state in conditions[1:] else None
        records.append(record(NAME, found.name, key, difference, higher, ended, why, told))
    passes = _passes(layout, name)
    row = [layout.title(name), seen, score, texts[conditions[0]]]
    for state in conditions[1:]:
        mark = " *" * (state in differences and is_shown(differences[state], p))
        row += [texts[state] + mark, p_text(p)]
    row += [
        _strongest_text(found, name, best, metric, layout),
        texts.get(hardest or "", ""),
        passes,
    ]
    if not differences:
        return row, None, records
    purified = differences.get(conditions[1]) if conditions[1:] else None
    plain = differences.get(conditions[0], Summary(0))
    after = (layout.title(hardest), differences[hardest]) if hardest in differences else None
    survival = Survival(plain, purified, left if purified else {}, seen, passes, after, p)
    return row, survival, records


def _lacking(found: Task, name: str, purifier: str, metric: MetricInfo, layout: Layout) -> str:
    """What stands where a row has no difference to noise: why a protection has none."""
    if layout.kind(name) != "protection":
        return ""
    run = Key(name, purifier, metric.name) in found.entries
    return "noise not run" if run else "not run"


def _direction(metric: MetricInfo) -> str:
    good = "high" if metric.higher_is_better else "low"
    return f"{good} is good for the exploit"


def visible_entries(protections: pd.DataFrame, task: str) -> Mapping[Key, Entry]:
    """LPIPS of each protection's images; of those over their budget, too."""
    rows = protections.rename(columns={"lpips": "value"}).assign(purifier="", metric="lpips")
    return collect(rows, task, ["lpips"], measured=("done", "over-budget")) if len(rows) else {}


def _strongest_text(
    found: Task, name: str, best: tuple[str, float] | None, metric: MetricInfo, layout: Layout
) -> str:
    if layout.kind(name) != "protection" or best is None:
        return ""
    n = found.entries[Key(name, best[0], metric.name)].summary.n
    score = numbers([best[1]], metric.percent)[0]
    return f"{layout.title(best[0])} {score}{partial_text(n, found.subjects)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _passes(layout: Layout, name: str) -> str:
    passes = None if layout.kind(name) == "clean" else layout.meta.passes.get(name)
    return "" if passes is None else f"{passes:.0f}"
