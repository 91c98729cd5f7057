"""The board at a glance: one row per protection, and whether it survives the headline purifier.

What a protection takes is measured against noise that is as visible, under the same purifier: what
noise takes too is no protection, and what a purifier breaks in any image is no survival.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards.findings import gain, gains, side_of
from impress_bench.leaderboard.boards.variants import Task, measured_task
from impress_bench.leaderboard.boards.verdicts import Survival, holding_verdict
from impress_bench.leaderboard.entries import (
    ABSENT,
    Entry,
    Key,
    Record,
    collect,
    differing,
    entry_records,
    record,
)
from impress_bench.leaderboard.layout import Layout, base, headline, target_of
from impress_bench.leaderboard.render import (
    Block,
    Board,
    Footnotes,
    entry_text,
    interval_text,
    numbers,
)
from impress_bench.leaderboard.statistics import Summary

NAME = "glance"
TEXT = (
    "What a protection takes from the exploit, which imitates a style or edits a photo. Visible: "
    "LPIPS to the clean image, 0 for none. Takes: how much worse the exploit fares than against "
    "noise that is as visible as the protection, or as the one that it adapts or varies, with a 95 "
    "% interval over paired subjects; above 0 it protects. {survives}Strongest purifier: the one "
    "with the best mean for the exploit, picked after the run, and that mean. Passes: forward and "
    "backward passes through networks that protecting one image costs. * marks intervals that lie "
    "beyond 0 with six subjects or more; n: subjects, where not all were run. A dot: no value, as "
    "for the edit of the clean photo, which other edits are compared with."
)
SURVIVES = (
    "Survives {purifier}: the same difference when {purifier} has purified both the protected and "
    "the noisy images; the preset names this purifier, whatever its scores. Where the interval "
    "holds 0, nothing is shown to be left. "
)


def build(cells: pd.DataFrame, protections: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the tables `cells` and `protections`; None without a protection's cells.

    Tasks that name a target of their own stand on the transfer board, beside the same task of the
    run's model.
    """
    blocks: list[Block] = []
    records: list[Record] = []
    headlines: list[str] = []
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
        none, purifier = layout.roles.no_purifier, _headline_purifier(found.entries, layout)
        conditions = [none] if purifier == "" else [none, purifier]
        survivals: dict[str, Survival] = {}
        for name in shown:
            own = found.entries.get(Key(name, none, metric.name), ABSENT)
            row = [
                layout.title(name),
                _number(visible.get(Key(name, "", "lpips"), ABSENT).summary.mean),
                "·"
                if own is ABSENT
                else entry_text(own, metric.percent, footnotes, found.subjects),
            ]
            differences: dict[str, Summary] = {}
            left: dict[str, float] = {}
            for state in conditions:
                result = taken(found.entries, name, state, metric, found.protections, layout)
                row.append("" if result is None else marked(result[1][0], metric, found.subjects))
                if result is not None:
                    differences[state] = result[1][0]
                    if state == purifier:
                        left = gains(found.entries, (result[0], state), (name, state), metric)
                    against, (summary, ended, why) = result
                    key = Key(f"{against} - {name}", state, metric.name)
                    records.append(
                        record(NAME, task, key, summary, metric.higher_is_better, ended, why)
                    )
            row += [_strongest_text(found, name, metric, layout), _passes(layout, name)]
            rows.append(row)
            if differences:
                plain, purified = differences.get(none, Summary(0)), differences.get(purifier)
                survivals[layout.title(name)] = Survival(plain, purified, left, row[1], row[-1])
        survives = []
        if purifier:
            survives = [f"Survives {layout.title(purifier)}"]
            headlines.append(layout.title(base(purifier)))
        headers = ["", "Visible", metric.title, "Takes", *survives, "Strongest purifier", "Passes"]
        unit = f" in {metric.unit}" if metric.unit and not metric.percent else ""
        heading = f"{layout.title(task)}: {metric.title}{unit}, {_direction(metric)}"
        text = holding_verdict(survivals, layout.title(purifier), metric)
        blocks.append(Block(heading, headers, rows, text, footnotes))
        unpurified = [(name, none) for name in shown]
        records += entry_records(f"{NAME}-scores", task, found.entries, unpurified, [metric])
    survived = " or ".join(dict.fromkeys(headlines))
    text = TEXT.format(survives=SURVIVES.format(purifier=survived) if survived else "")
    return Board(NAME, "At a glance", text, blocks, records) if blocks else None


def _direction(metric: MetricInfo) -> str:
    good = "high" if metric.higher_is_better else "low"
    return f"{good} is good for the exploit"


def visible_entries(protections: pd.DataFrame, task: str) -> Mapping[Key, Entry]:
    """LPIPS of each protection's images; of those over their budget, too."""
    rows = protections.rename(columns={"lpips": "value"}).assign(purifier="", metric="lpips")
    return collect(rows, task, ["lpips"], measured=("done", "over-budget")) if len(rows) else {}


def _headline_purifier(entries: Mapping[Key, Entry], layout: Layout) -> str:
    """The headline purifier as the run writes it, parameters included, if the run has it; else the
    reference purifier, and "" if the run has neither."""
    roles = layout.roles
    for wanted in (roles.headline, roles.purifier):
        names = [key.purifier for key in entries if base(key.purifier) == wanted != ""]
        if names:
            return names[0]
    return ""


def taken(
    entries: Mapping[Key, Entry],
    name: str,
    purifier: str,
    metric: MetricInfo,
    protections: list[str],
    layout: Layout,
) -> tuple[str, tuple[Summary, str, str | None]] | None:
    """What a protection takes beyond its matched noise under a purifier, and the noise's name; None
    for rows that are no protection or have no matched noise there."""
    if layout.kind(name) != "protection":
        return None
    for noise in protections:
        if not layout.matches(noise, name):
            continue
        with_noise = entries.get(Key(noise, purifier, metric.name))
        with_protection = entries.get(Key(name, purifier, metric.name))
        if with_noise is None or with_protection is None:
            continue
        took = gain(entries, (noise, purifier), (name, purifier), metric)
        return noise, (took, *differing(with_noise, with_protection))
    return None


def strongest(
    entries: Mapping[Key, Entry],
    name: str,
    metric: MetricInfo,
    layout: Layout,
    *,
    among_all: bool = False,
) -> tuple[str, float] | None:
    """The purifier with the best mean of those run for all subjects of the row, and that mean; the
    absence of one is among them with `among_all`."""
    left_out = ("",) if among_all else ("", layout.roles.no_purifier)
    found = {
        key.purifier: entry
        for key, entry in entries.items()
        if key.protection == name
        and key.metric == metric.name
        and key.purifier not in left_out
        and entry.summary.mean is not None
    }
    most = max((entry.summary.n for entry in found.values()), default=0)
    means = {name: entry.summary.mean or 0.0 for name, entry in found.items()
             if entry.summary.n == most}  # fmt: skip
    if not means:
        return None
    best = (max if metric.higher_is_better else min)(means, key=lambda one: means[one])
    return best, means[best]


def _strongest_text(found: Task, name: str, metric: MetricInfo, layout: Layout) -> str:
    best = strongest(found.entries, name, metric, layout)
    if layout.kind(name) != "protection" or best is None:
        return ""
    n = found.entries[Key(name, best[0], metric.name)].summary.n
    of = f" (n={n})" if n != found.subjects else ""
    return f"{layout.title(best[0])} {numbers([best[1]], metric.percent)[0]}{of}"


def marked(summary: Summary, metric: MetricInfo, expected: int | None = None) -> str:
    """A difference with its interval, marked if that lies beyond 0 with subjects enough; with its
    number of subjects if that is not the one `expected`."""
    mark = " *" if side_of(summary) else ""
    of = f" (n={summary.n})" if expected is not None and summary.n != expected else ""
    return interval_text(summary, metric.percent) + of + mark


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _passes(layout: Layout, name: str) -> str:
    passes = None if layout.kind(name) == "clean" else layout.meta.passes.get(name)
    return "" if passes is None else f"{passes:.0f}"
