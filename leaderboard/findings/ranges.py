"""Between which rows the means of a measure lie that has no side to be on, such as a note."""

from __future__ import annotations

from collections.abc import Mapping

from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.layout import subjects_text
from impress_bench.leaderboard.render import numbers
from impress_bench.leaderboard.statistics import Summary

#: So many measures are spoken of, those that spread widest; the others are counted.
SHOWN = 3


def ranges_verdict(
    found: Mapping[str, Mapping[str, Summary]], percent: bool = False, where: str = "row"
) -> str:
    """The least and the greatest mean of each measure, and whose they are; "" without a mean.

    Parameters:
        found: By the titles of the measures, and of what they were taken of.
        percent: Whether means are shares, printed in per cent.
        where: What the measures were taken of is called.
    """
    means = {
        measure: {title: one.mean for title, one in rows.items() if one.mean is not None}
        for measure, rows in found.items()
    }
    means = {measure: rows for measure, rows in means.items() if rows}
    order = sorted(means, key=lambda measure: -_spread(means[measure]))
    sentences = [_range(measure, means[measure], percent, where) for measure in order[:SHOWN]]
    if rest := len(order[SHOWN:]):
        sentences.append(f"{rest} more {'spreads' if rest == 1 else 'spread'} no wider.")
    most = max((one.n for rows in found.values() for one in rows.values()), default=0)
    if 0 < most < FEW:
        sentences.append(f"{subjects_text(most)}, too few to conclude.")
    return " ".join(sentences)


def _spread(rows: Mapping[str, float]) -> float:
    """How far the means of a measure lie apart, as a share of the largest."""
    largest = max(map(abs, rows.values()))
    return (max(rows.values()) - min(rows.values())) / largest if largest else 0.0


def _range(measure: str, rows: Mapping[str, float], percent: bool, where: str) -> str:
    ends = min(rows.values()), max(rows.values())
    low, high = numbers(ends, percent)
    if len(rows) > 1 and ends[0] == ends[1]:
        return f"{measure} is {low} in every {where}."
    least, most = (
        first + f" and {len(others)} more" * bool(others)
        for first, *others in ([title for title in rows if rows[title] == end] for end in ends)
    )
    if len(rows) == 1:
        return f"{measure} is {low} ({least})."
    return f"{measure} lies between {low} ({least}) and {high} ({most})."
