"""The flags of a run: which warnings its own tables raise, and which checks are clear."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from impress_bench.leaderboard.entries import Entry, Key, collect
from impress_bench.leaderboard.findings.variants import measured_task
from impress_bench.leaderboard.flags.catalogue import results
from impress_bench.leaderboard.flags.evidence import Evidence
from impress_bench.leaderboard.layout import Layout, headline
from impress_bench.leaderboard.render import Block, Board

NAME = "flags"
TEXT = (
    "Warnings that this run's own tables raise, in the form of AutoAttack's flags: when each is "
    "raised, why it matters, what to do. Comparisons are by the headline metric, paired by "
    "subject, and count if their 95 % interval lies beyond 0; so does what shows learning."
)


def build(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    notes: pd.DataFrame,
    layout: Layout,
) -> Board | None:
    """The board from the tables of those names; None without cells whose metric has a direction."""
    blocks: list[Block] = []
    for task in sorted(set(cells["task"])):
        measured = measured_task(cells, task, layout)
        metric = headline(measured.metrics)
        if metric is None:
            continue
        inspected = inspections.rename(columns={"measure": "metric"})
        noted = notes.rename(columns={"note": "metric"})
        seen = Evidence(
            task, measured.entries, measured.metrics, metric, measured.protections,
            measured.subjects, _distances(protections, task), collect(inspected, task),
            collect(noted, task), layout,
        )  # fmt: skip
        found = results(seen)
        rows = [
            [flag.name, "; ".join(cases), flag.raised_if, flag.matters, flag.remedy]
            for flag, cases, _ in found
            if cases
        ]
        clear = [flag.name for flag, cases, checked in found if checked and not cases]
        lacking = [flag.name for flag, _, checked in found if not checked]
        texts = [f"Clear: {', '.join(clear)}."] * bool(clear)
        without = "Not checked, for lack of rows, of controls or of six subjects"
        texts += [f"{without}: {', '.join(lacking)}."] * bool(lacking)
        headers = ["Flag", "Here", "Raised if", "Why it matters", "What to do"]
        blocks.append(Block(layout.title(task), headers, rows, " ".join(texts)))
    return Board(NAME, "Flags", TEXT, blocks, []) if blocks else None


def _distances(protections: pd.DataFrame, task: str) -> Mapping[Key, Entry]:
    """L-infinity and LPIPS of each protection's images; of those over their budget, too."""
    kept = ["task", "subject", "protection", "state"]
    long = protections.melt(kept, ["linf", "lpips"], "metric", "value").assign(purifier="")
    return collect(long, task, measured=("done", "over-budget"))
