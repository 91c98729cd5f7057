"""What tables of many rows show, in one sentence each, by the same rules as `findings`.

A row counts on a side of 0 if the 95 % interval of its paired difference lies there; how many
would without any effect is one in twenty, and the sentences do not correct for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.findings.paired import (
    Condition,
    Entries,
    gain,
    primary_of,
    side_of,
)
from impress_bench.leaderboard.findings.reasons import NO_NOISE, NO_PRIMARY
from impress_bench.leaderboard.findings.tables import paragraph
from impress_bench.leaderboard.layout import Layout, listed, subjects_text
from impress_bench.leaderboard.render import interval_text
from impress_bench.leaderboard.statistics import Summary, paired_difference, summarize


def weight_verdict(
    entries: Entries,
    layout: Layout,
    plain: str,
    weighted: Mapping[str, str],
    metrics: Sequence[MetricInfo],
) -> str:
    """At which weights of a term, `weighted` by their titles, it costs protection or pays."""
    metric, none, purifier = primary_of(metrics), layout.roles.no_purifier, layout.roles.purifier
    if metric is None:
        return NO_PRIMARY
    sentences = []
    for begin, condition in (("Unpurified", none), (f"After {layout.title(purifier)}", purifier)):
        found: dict[int, list[str]] = {1: [], -1: [], 0: []}
        few: list[str] = []
        for title, name in weighted.items():
            took = gain(entries, (plain, condition), (name, condition), metric)
            if (side := side_of(took)) is not None:
                text = interval_text(took, metric.percent)
                found[side].append(title if side == 0 else f"{title} ({text})")
            elif 0 < took.n < FEW:
                few.append(title)
        told = [
            f"{words} {listed(found[side])}"
            for side, words in (
                (1, "more is taken with"),
                (-1, "less is taken with"),
                (0, "no difference is shown with"),
            )
            if found[side]
        ]
        if few:
            told.append(f"subjects are too few with {listed(few)}")
        if told:
            sentences.append(f"{begin}, compared with no term: {'; '.join(told)}.")
    return paragraph(sentences, metric)


def survival_verdict(survivals: Mapping[str, Summary]) -> str:
    """Which protections, by title, take more than noise after the worst purifier, and which were
    run for too few subjects to say."""
    sides = {name: side_of(found) for name, found in survivals.items() if found.n}
    if not sides:
        return NO_NOISE
    if not any(side is not None for side in sides.values()):
        return _all_too_few(survivals.values())
    survivors = [name for name, side in sides.items() if side == 1]
    lost = [name for name, side in sides.items() if side in (0, -1)]
    few = [name for name, side in sides.items() if side is None]
    return " ".join(
        f"{verdict}: {listed(names)}."
        for verdict, names in (
            ("Shown to survive", survivors),
            ("Not shown to survive", lost),
            ("Too few subjects", few),
        )
        if names
    )


def transfer_verdict(cells: Iterable[tuple[bool, Summary]]) -> str:
    """How many cells take more than noise, of those made on the model that they are met on, and of
    the others. `cells`: whether that is so, and what is taken; those of few subjects are counted
    apart."""
    known = [(white, took) for white, took in cells if took.n]
    few = sum(side_of(took) is None for _, took in known)
    if not known:
        return NO_NOISE
    if few == len(known):
        return _all_too_few(took for _, took in known)
    counts = {True: [0, 0], False: [0, 0]}
    for white, took in known:
        if (side := side_of(took)) is not None:
            counts[white][0] += side == 1
            counts[white][1] += 1
    parts = [
        f"in {counts[white][0]} of {counts[white][1]} cells on {where}"
        for white, where in (
            (True, "a model that the protection was made on"),
            (False, "another model"),
        )
        if counts[white][1]
    ]
    return f"More than noise is taken {' and '.join(parts)}.{_few_more(few)}"


def purifier_verdict(
    entries: Entries, layout: Layout, conditions: Iterable[Condition], metric: MetricInfo
) -> str:
    """In how many rows of a matrix a purifier gives something back to the exploit."""
    none, counts, few = layout.roles.no_purifier, {1: 0, -1: 0, 0: 0}, 0
    for protection, purifier in conditions:
        if layout.kind(protection) == "protection" and purifier not in ("", none):
            found = gain(entries, (protection, purifier), (protection, none), metric)
            side, few = side_of(found), few + (0 < found.n < FEW)
            if side is not None:
                counts[side] += 1
    if not (total := sum(counts.values())):
        pairs = f"{few} pair{'s' * (few != 1)} of a protection and a purifier"
        return f"Of {pairs} the subjects are too few." if few else "No purifier met a protection."
    return (
        f"Of {total} pairs of a protection and a purifier, the exploit is better off than without"
        f" the purifier in {counts[1]}, worse off in {counts[-1]}, and in {counts[0]} neither is"
        f" shown.{_few_more(few)}"
    )


def visibility_verdict(seen: Mapping[str, Mapping[str, float]]) -> str:
    """Which protection is least and which most visible, by LPIPS: by title, of each subject. Those
    from which an end is not shown to differ are named beside it; those of few subjects do not
    count."""
    every = {name: summarize(list(values.values())) for name, values in seen.items() if values}
    means = {name: mean for name, mean in every.items() if mean.n >= FEW}
    more = _few_more(len(every) - len(means))
    if not every:
        return "No protection here has an LPIPS to the clean images."
    if not means:
        return _all_too_few(every.values())
    order = sorted(means, key=lambda name: means[name].mean or 0.0)
    if len(order) == 1:
        return f"Mean LPIPS of {order[0]} is {means[order[0]].mean:.3f}.{more}"
    parts = []
    for end, words in ((order[0], "least"), (order[-1], "most")):
        gaps = {name: paired_difference(seen[name], seen[end]) for name in order if name != end}
        alike = [name for name, gap in gaps.items() if not side_of(gap)]
        unlike = f", from which {listed(alike)} is not shown to differ" if alike else ""
        parts.append(f"{words} visible is {end} ({means[end].mean:.3f}){unlike}")
    return f"By mean LPIPS {'; '.join(parts)}.{more}"


def detection_verdict(areas: Mapping[str, Summary], measure: str) -> str:
    """Which conditions, by title, can be told from clean images by an error, whose areas under the
    curve have intervals; those of few subjects do not count."""
    lows = {name: area.low for name, area in areas.items() if area.low is not None}
    known = {name: low for name, low in lows.items() if areas[name].n >= FEW}
    told = [name for name, low in known.items() if low > 0.5]
    if not known:
        return _all_too_few(areas.values())
    count = f"{len(told)} of {len(known)} conditions have larger errors than clean images"
    which = f": {listed(told)}" if 0 < len(told) <= 6 else ""
    more = _few_more(len(lows) - len(known))
    return f"By the {measure}, {count} (interval of the area above .5){which}.{more}"


def _few_more(count: int) -> str:
    """What is added to a sentence about rows that `count` others of few subjects do not support."""
    return f" Of {count} more the subjects are too few." if count else ""


def _all_too_few(found: Iterable[Summary]) -> str:
    """What is said instead where no row has subjects enough; "" without any."""
    most = max((one.n for one in found), default=0)
    return f"{subjects_text(most)}, too few to conclude." if most else ""
