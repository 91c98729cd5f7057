"""A warning for boards whose runs have too few subjects to show anything."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from impress_bench.leaderboard.layout import Layout, listed, parsed, subjects_text

#: With fewer subjects than this, an interval hardly excludes anything.
FEW = 6
ONE = (
    "One subject has no spread, so that no score of it shows that a protection or a purifier works."
)
SOME = (
    f"With fewer than {FEW} subjects, intervals are wide and hold less often than 95 % of the time:"
    " no comparison of these supports a conclusion."
)


def caution(cells: pd.DataFrame, layout: Layout, tasks: Iterable[str]) -> str:
    """A sentence for readers of boards about `tasks`, by the smallest number of subjects that the
    table `cells` has of any of them; "" from six on and without cells."""
    counts = {
        task: int(cells.loc[cells["task"] == task, "subject"].nunique()) for task in set(tasks)
    }
    families: dict[str, dict[str, int]] = {}
    for task, count in counts.items():
        families.setdefault(parsed(task).name, {})[task] = count
    few: dict[str, int] = {}
    for name, family in families.items():
        short = {task: count for task, count in family.items() if 0 < count < FEW}
        everywhere = len(short) == len(family) > 1  # few on every target: named once
        few |= {name: min(short.values())} if everywhere else short
    if not few:
        return ""
    sizes = listed([f"{layout.title(task)} ({subjects_text(few[task])})" for task in sorted(few)])
    meaning = ONE if 1 in few.values() else SOME
    advice = next_step(layout.meta.next_preset)
    return f"> **This shows nothing yet** of {sizes}. {meaning} To learn more, {advice}."


def next_step(preset: str) -> str:
    """What to do about too few subjects: run `preset`, if one is known."""
    return f"run the preset `{preset}` next" if preset else "run more subjects next"
