"""A warning for boards whose runs have too few subjects to show anything."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from impress_bench.leaderboard.layout import Layout, listed, parsed

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
    few = {task: count for task, count in sorted(counts.items()) if 0 < count < FEW}
    for name in {parsed(task).name for task in few}:
        family = {task: counts[task] for task in counts if parsed(task).name == name}
        if len(family) > 1 and family.keys() <= few.keys():  # few on every target: named once
            few = {task: count for task, count in few.items() if task not in family}
            few[name] = min(family.values())
    if not few:
        return ""
    sizes = listed(
        [
            f"{layout.title(task)} ({count} subject{'s' * (count != 1)})"
            for task, count in sorted(few.items())
        ]
    )
    onward = layout.meta.next_preset
    advice = f"run the preset `{onward}` next" if onward else "run more subjects next"
    meaning = ONE if 1 in few.values() else SOME
    return f"> **This shows nothing yet** of {sizes}. {meaning} To learn more, {advice}."
