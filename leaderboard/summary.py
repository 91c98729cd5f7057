"""What a run shows, in a few lines for a terminal: of each task whether a protection survives the
headline purifier, and what the reference purifier gives back."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pandas as pd

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.boards import flags
from impress_bench.leaderboard.caution import FEW, next_step
from impress_bench.leaderboard.findings.paired import gain, is_shown, side_of
from impress_bench.leaderboard.findings.reasons import NO_NOISE
from impress_bench.leaderboard.findings.taken import headline_purifier, taken, taken_p
from impress_bench.leaderboard.findings.variants import Task, measured_task
from impress_bench.leaderboard.layout import Layout, base, headline, subjects_text, target_of
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.render import interval_text, p_text
from impress_bench.leaderboard.scaling import with_scaled
from impress_bench.leaderboard.statistics import Summary

WIDTH = 100
#: Lines of all tasks together, and tasks that are spoken of; the others are on the board `glance`.
TASK_LINES, TASKS = 6, 3


def summary(
    cells: pd.DataFrame,
    protections: pd.DataFrame,
    inspections: pd.DataFrame,
    notes: pd.DataFrame,
    meta: BoardMeta,
) -> list[str]:
    """At most eight lines of at most `WIDTH` characters from the tables of a run: what was run, its
    tasks, and the flags that it raises."""
    layout = Layout(meta)
    cells = with_scaled(cells, layout)
    own = [name for name in sorted(set(cells["task"])) if target_of(name) is None]
    told = [text for name in own if (text := _task(measured_task(cells, name, layout), layout))]
    lines = _wrapped(_ran(cells, layout, len(told[TASKS:])), 1)
    for text in told[:TASKS]:
        lines += _wrapped(text, TASK_LINES // len(told[:TASKS]))
    board = flags.build(cells, protections, inspections, notes, layout)
    if board is not None:
        names = list(dict.fromkeys(row[0] for block in board.blocks for row in block.rows))
        lines += _wrapped(f"Flags: {', '.join(names) or 'none'}.", 1)
    return lines


def _ran(cells: pd.DataFrame, layout: Layout, more: int) -> str:
    """Preset, models, and how many tasks are not spoken of below."""
    meta = layout.meta
    targets = {target_of(name) or meta.model for name in set(cells["task"])} - {meta.model}
    models = f", model {meta.model}" * bool(meta.model)
    models += f" and {len(targets)} more" * bool(targets)
    small = " (a miniature)" * meta.model_is_miniature
    rest = f" {more} more task{'s' * (more > 1)} on the board glance." if more else ""
    return f"Preset {meta.preset or '–'}{models}{small}.{rest}"


def _task(found: Task, layout: Layout) -> str:
    """The protection of which most is left after the headline purifier; "" without protections."""
    metric = headline(found.metrics)
    names = [name for name in found.protections if layout.kind(name) == "protection"]
    if metric is None or not names:
        return ""
    purifiers = [key.purifier for key in found.entries]
    none, purifier = layout.roles.no_purifier, headline_purifier(purifiers, layout)
    took = {name: _taken(found, name, none, metric, layout) for name in names}
    left = {name: _taken(found, name, purifier, metric, layout) for name in names}
    unit = f" in {'points' if metric.percent else metric.unit}" if metric.unit else ""
    begin = f"{layout.title(found.name)}, {subjects_text(found.subjects)}, {metric.title}{unit}: "
    ranked = left if any(side_of(one) is not None for one in left.values()) else took
    known = [name for name in names if side_of(ranked[name]) is not None]
    if not known:
        most = max(one.n for one in ranked.values())
        if not 0 < most < FEW:
            return begin + NO_NOISE
        few = "" if most == found.subjects else f"{subjects_text(most)}, "
        return f"{begin}{few}too few to conclude; {next_step(layout.meta.next_preset)}."
    best = max(known, key=lambda name: ranked[name].mean or 0.0)
    parts = [
        _said(took[best], metric, f"{layout.title(best)} takes {{}} more than noise",
              f"{layout.title(best)} takes {{}} less than noise",
              f"{layout.title(best)} is not shown to take more than noise ({{}})"),
    ]  # fmt: skip
    title = layout.title(purifier)
    tested = taken_p(found.entries, purifier, metric, found.protections, layout)
    if ranked is left:
        sure = f" (p = {p_text(tested[best])})" if best in tested else ""
        parts.append(_said(left[best], metric, f"after {title} {{}} remain{sure}",
                           f"after {title} it takes {{}} less than noise",
                           f"after {title} nothing is shown to remain ({{}})"))  # fmt: skip
    for back in _purified_by_reference(found, best, metric, layout):
        name = layout.title(back)
        given = gain(found.entries, (best, back), (best, none), metric)
        parts.append(_said(given, metric, f"{name} gives {{}} back", f"{name} takes another {{}}",
                           f"{name} is not shown to give anything back ({{}})"))  # fmt: skip
    above = [name for name in known if side_of(ranked[name]) == 1]
    count = sum(ranked is took or is_shown(left[name], tested.get(name)) for name in above)
    after = f"survive {title}" if ranked is left else "protect"
    survive = f" Shown to {after}: {count} of {len(known)}." if known[1:] else ""
    return f"{begin}{'; '.join(filter(None, parts))}.{survive}"


def _taken(found: Task, name: str, purifier: str, metric: MetricInfo, layout: Layout) -> Summary:
    """What a protection takes beyond its noise; of no subject where that is not known."""
    result = taken(found.entries, name, purifier, metric, found.protections, layout)
    return Summary(0) if result is None else result[1][0]


def _purified_by_reference(found: Task, name: str, metric: MetricInfo, layout: Layout) -> list[str]:
    """The reference purifier as the run writes it, if it met a protection."""
    return [
        key.purifier
        for key in found.entries
        if (key.protection, key.metric) == (name, metric.name)
        and base(key.purifier) == layout.roles.purifier
    ][:1]


def _said(found: Summary, metric: MetricInfo, above: str, below: str, unsure: str) -> str:
    """The words that fit the side of 0 on which an interval lies; "" without one."""
    side = side_of(found)
    if side is None or found.mean is None or found.low is None or found.high is None:
        return ""
    if side < 0:
        found = replace(found, mean=-found.mean, low=-found.high, high=-found.low)
    words = (unsure, above, below)[side]
    return words.format(interval_text(found, metric.percent, signed=side == 0))


def _wrapped(text: str, lines: int) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, max_lines=lines, placeholder=" …", subsequent_indent="  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
