"""Which subjects of its preset a published set of results does not have."""

from __future__ import annotations

from collections.abc import Iterator

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.config.loading import shipped_presets
from impress_bench.benchmark.harness.runs.folder import Part
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.leaderboard.layout import Layout, listed
from impress_bench.leaderboard.meta import BoardMeta


def unrun(part: Part) -> dict[str, list[str]]:
    """By task, in order, the subjects of the preset that a set of results is called after and that
    have no cell in it. Nothing for a preset that is not ours, and of data that is not here."""
    if part.meta.preset not in shipped_presets():
        return {}
    try:
        planned = offered(part.meta.preset).tasks
    except ConfigError:
        return {}
    cells = part.frames.cells
    missing: dict[str, list[str]] = {}
    for name, task in planned.items():
        run = set(cells.loc[cells["task"] == name, "subject"])
        left = [subject for subject in task.subjects or () if subject not in run]
        if left:
            missing[name] = left
    return missing


def unrun_lines(meta: BoardMeta) -> Iterator[str]:
    """A line about what is not in the results, if anything is not."""
    layout = Layout(meta)
    left = [f"{layout.title(task)} of {listed(names)}" for task, names in meta.unrun.items()]
    if left:
        yield f"Of the preset's subjects not run: {'; '.join(left)}"
