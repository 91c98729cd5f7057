"""What a protection takes beyond its matched noise, its p, and the purifier that undoes most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impress_bench.benchmark.metric import MetricInfo
from impress_bench.leaderboard.entries import Entry, Key, differing
from impress_bench.leaderboard.findings.paired import gain, gains
from impress_bench.leaderboard.layout import Layout, base
from impress_bench.leaderboard.significance import holm, sign_flip_p
from impress_bench.leaderboard.statistics import Summary, ten_digits


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


def taken_p(
    entries: Mapping[Key, Entry],
    purifier: str,
    metric: MetricInfo,
    protections: list[str],
    layout: Layout,
) -> dict[str, float]:
    """By protection p of what it takes beyond its matched noise under a purifier: of a two-sided
    sign-flip test over subjects, adjusted by Holm's method for all that have one."""
    found: dict[str, float] = {}
    for name in protections:
        result = taken(entries, name, purifier, metric, protections, layout)
        if result is None:
            continue
        differences = gains(entries, (result[0], purifier), (name, purifier), metric)
        p = sign_flip_p(list(differences.values()))
        if p is not None:
            found[name] = p
    return dict(zip(found, map(ten_digits, holm(list(found.values()))), strict=True))


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


def headline_purifier(purifiers: Sequence[str], layout: Layout) -> str:
    """The headline purifier as the run writes it, parameters included, if it is one of `purifiers`;
    else the reference purifier, and "" if neither was run."""
    for wanted in (layout.roles.headline, layout.roles.purifier):
        names = [name for name in purifiers if base(name) == wanted != ""]
        if names:
            return names[0]
    return ""
