"""Whether an autoencoder or a diffusion model reconstructs protected images worse than clean ones,
and whether a purifier ends that: Cao et al. 2023, Section 4.1.

Errors are mean squared differences between an image and its reconstruction. The area under the
curve (AUC) is that of classifying a condition's images against clean ones by one threshold on the
error: at 0.5 they are indistinguishable, at 1 their errors are all larger.
"""

from __future__ import annotations

import pandas as pd

from impress_bench.leaderboard.entries import ABSENT, Entry, Key, Record, collect, record
from impress_bench.leaderboard.findings.ranges import ranges_verdict
from impress_bench.leaderboard.findings.verdicts import detection_verdict
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.render import Block, Board, Footnotes, entry_text
from impress_bench.leaderboard.separation import separation
from impress_bench.leaderboard.statistics import Summary

NAME = "inconsistency"
TEXT = (
    "Mean squared errors of the images that the exploit gets, as reconstructed by the model's "
    "autoencoder (VAE) and by the whole model (LDM): mean ± standard deviation over subjects, "
    "after averaging each subject's images. AUC: the probability that an image of the row has a "
    "larger error than a clean one, with a 95 % bootstrap interval over subjects; 0.5 is "
    "indistinguishable from clean."
)

NO_CLEAN = (
    "No AUC: clean images were not inspected without a purifier, since no exploit of theirs is "
    "scored in this task."
)

Condition = tuple[str, str]


def is_error(measure: str) -> bool:
    """Whether a measure is a reconstruction error, by which protected images can be detected."""
    return measure.endswith("-error")


def build(inspections: pd.DataFrame, layout: Layout) -> Board | None:
    """The board from the table `inspections`, or None if that is empty."""
    if inspections.empty:
        return None
    rows = inspections.rename(columns={"measure": "metric"})
    blocks: list[Block] = []
    records: list[Record] = []
    for task in sorted(set(rows["task"])):
        entries = collect(rows, task)
        protections = layout.protections(key.protection for key in entries)
        purifiers = layout.purifiers(key.purifier for key in entries)
        found = {(key.protection, key.purifier) for key in entries}
        conditions = [(a, b) for a in protections for b in purifiers if (a, b) in found]
        measures = sorted({key.metric for key in entries}, key=lambda m: (m != "vae-error", m))
        errors = [measure for measure in measures if is_error(measure)]
        others = [measure for measure in measures if not is_error(measure)]
        block, compared = _errors(entries, layout, task, conditions, errors)
        blocks.append(block)
        records += compared
        if others:
            blocks.append(_others(entries, layout, task, conditions, others))
        for key, entry in entries.items():
            higher = False if is_error(key.metric) else None
            records.append(
                record(NAME, task, key, entry.summary, higher, entry.state, entry.reason)
            )
    return Board(NAME, "Inconsistency: reconstruction of protected images", TEXT, blocks, records)


def condition_title(layout: Layout, condition: Condition) -> str:
    """`GLAZE`, or `GLAZE, JPG` for what a purifier made of it."""
    protection, purifier = condition
    bare = purifier == layout.roles.no_purifier
    return layout.title(protection) + ("" if bare else f", {layout.title(purifier)}")


def _after(layout: Layout, condition: Condition) -> str:
    """`GLAZE`, or `GLAZE after JPG`, which can stand in a list."""
    protection, purifier = map(layout.title, condition)
    return (
        protection if condition[1] == layout.roles.no_purifier else f"{protection} after {purifier}"
    )


def clean_condition(layout: Layout, conditions: list[Condition]) -> Condition | None:
    """The condition of clean images without a purifier, if it was inspected."""
    none = layout.roles.no_purifier
    return next((c for c in conditions if layout.kind(c[0]) == "clean" and c[1] == none), None)


def _errors(
    entries: dict[Key, Entry],
    layout: Layout,
    task: str,
    conditions: list[Condition],
    measures: list[str],
) -> tuple[Block, list[Record]]:
    """Errors of each condition, and the AUC of each error against clean images."""
    clean = clean_condition(layout, conditions)
    footnotes, rows = Footnotes(), []
    records: list[Record] = []
    areas: dict[str, Summary] = {}
    for condition in conditions:
        row = [condition_title(layout, condition)]
        for measure in measures:
            key = Key(*condition, measure)
            entry = entries.get(key, ABSENT)
            row.append(entry_text(entry, False, footnotes))
            if clean is None:
                continue
            if condition == clean:
                row.append("")
                continue
            area = separation(entries.get(Key(*clean, measure), ABSENT).values, entry.values)
            row.append(_area_text(area))
            if measure == measures[0] and layout.kind(condition[0]) == "protection":
                areas[_after(layout, condition)] = area
            records.append(record(f"{NAME}-auc", task, key, area, None, entry.state, entry.reason))
        rows.append(row)
    headers = ["Images"]
    for measure in measures:
        headers += [layout.measure_title(measure), *["AUC"] * (clean is not None)]
    text = _between(entries, layout, conditions, measures)
    if clean and measures:
        text = detection_verdict(areas, layout.measure_title(measures[0])) or text
    elif clean is None:
        text = f"{text} {NO_CLEAN}"
    return Block(layout.title(task), headers, rows, text, footnotes), records


def _between(
    entries: dict[Key, Entry], layout: Layout, conditions: list[Condition], measures: list[str]
) -> str:
    """Between which conditions the means of measures lie."""
    found = {
        layout.measure_title(measure): {
            _after(layout, one): entries.get(Key(*one, measure), ABSENT).summary
            for one in conditions
        }
        for measure in measures
    }
    return ranges_verdict(found)


def _area_text(area: Summary) -> str:
    """An area under a curve, to the two decimals that a few dozen images support."""
    if area.mean is None:
        return "–"
    if area.low is None or area.high is None:
        return f"{area.mean:.2f}"
    return f"{area.mean:.2f} [{area.low:.2f}, {area.high:.2f}]"


def _others(
    entries: dict[Key, Entry],
    layout: Layout,
    task: str,
    conditions: list[Condition],
    measures: list[str],
) -> Block:
    """The other measures of the same images."""
    footnotes = Footnotes()
    rows = [
        [
            condition_title(layout, condition),
            *[
                entry_text(entries.get(Key(*condition, m), ABSENT), False, footnotes)
                for m in measures
            ],
        ]
        for condition in conditions
    ]
    headers = ["Images", *[layout.measure_title(measure) for measure in measures]]
    text = (
        "Means over the images that the exploit gets: their distances, and shares of them, where 1 "
        f"is all. {_between(entries, layout, conditions, measures)}"
    )
    return Block(f"{layout.title(task)}: the images themselves", headers, rows, text, footnotes)
