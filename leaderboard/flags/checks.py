"""What flags about scores and rows look at. A check yields one line per case: what raises the flag,
or "" where the case is clear."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.flags.evidence import Evidence, judged
from impress_bench.leaderboard.layout import base, parsed, subjects_text, target_of
from impress_bench.leaderboard.render import interval_text
from impress_bench.leaderboard.schema import control


def few_subjects(seen: Evidence) -> Iterator[str]:
    few = seen.subjects < FEW
    yield subjects_text(seen.subjects) if few else ""


def learning_not_shown(seen: Evidence) -> Iterator[str]:
    scale, none = seen.metric.scale, seen.layout.roles.no_purifier
    if scale is None:
        return
    without = control(scale.zero)
    for clean in seen.of_kind("clean"):
        gap = seen.gap((clean, none), (without, ""))
        side = side_of(gap)
        if gap.mean is not None and (side is not None or gap.mean <= 0):
            titles = [seen.layout.title(one) for one in (clean, without)]
            case = f"{titles[0]} {interval_text(gap, seen.metric.percent)} beside {titles[1]}"
            yield "" if side == 1 else case


def adapted_is_weaker(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        for purifier in seen.reference_purifiers(name):
            gap = seen.gap((name, purifier), (str(parsed(name).adapted), purifier))
            titles = seen.layout.title(name), seen.layout.title(purifier)
            yield from judged(" after ".join(titles), gap)


def cheaper_purifier(seen: Evidence) -> Iterator[str]:
    passes = seen.layout.meta.passes
    for name in seen.of_kind("protection"):
        for reference in seen.reference_purifiers(name):
            for other in seen.purifiers(name):
                if reference in passes and passes.get(other, 0.0) < passes[reference]:
                    titles = seen.layout.title(other), seen.layout.title(reference)
                    case = f"{seen.layout.title(name)}: {' beats '.join(titles)}"
                    yield from judged(case, seen.gap((name, other), (name, reference)))


def more_passes_harm(seen: Evidence) -> Iterator[str]:
    passes = seen.layout.meta.passes
    for name in seen.protections:
        cheapest_first = sorted(
            (each for each in seen.purifiers(name) if each in passes), key=passes.__getitem__
        )
        for less, more in combinations(cheapest_first, 2):
            if base(less) == base(more) and passes[less] < passes[more]:
                titles = seen.layout.title(less), seen.layout.title(more)
                case = f"{seen.layout.title(name)}: {' beats '.join(titles)}"
                yield from judged(case, seen.gap((name, less), (name, more)))


def purifier_harms(seen: Evidence) -> Iterator[str]:
    none = seen.layout.roles.no_purifier
    pairs = product(seen.of_kind("clean"), seen.of_kind("protection"))
    for clean, name in pairs:
        for purifier in seen.purifiers(name):
            harm = seen.gap((clean, none), (clean, purifier))
            gain = seen.gap((name, purifier), (name, none))
            if harm.mean is not None and gain.mean is not None:
                titles = seen.layout.title(purifier), seen.layout.title(name)
                case = " after ".join(titles) if harm.mean > gain.mean else ""
                yield from judged(case, harm)


def metrics_disagree(seen: Evidence) -> Iterator[str]:
    none = seen.layout.roles.no_purifier
    known = [metric for metric in seen.metrics if metric.higher_is_better is not None]
    for name in seen.of_kind("protection"):
        noise = seen.noise(name)
        if noise is None:
            continue
        gaps = {m.title: seen.gap((noise, none), (name, none), m) for m in known}
        sides = {title: side_of(gap) for title, gap in gaps.items()}
        takes = [title for title, side in sides.items() if side == 1]
        gives = [title for title, side in sides.items() if side == -1]
        case = f"takes by {', '.join(takes)} and gives by {', '.join(gives)}"
        if any(side is not None for side in sides.values()):
            yield f"{seen.layout.title(name)} {case}" if takes and gives else ""


def ends_at_mild_compression(seen: Evidence) -> Iterator[str]:
    """Where the noise that is as visible was compressed too, and the protection takes something
    beyond it before."""
    none = seen.layout.roles.no_purifier
    for name in seen.of_kind("protection"):
        noise = seen.noise(name)
        if noise is None or side_of(seen.gap((noise, none), (name, none))) != 1:
            continue
        for purifier in filter(seen.is_mild_compression, seen.purifiers(name)):
            left = seen.gap((noise, purifier), (name, purifier))
            if (side := side_of(left)) is not None:
                titles = seen.layout.title(name), seen.layout.title(purifier)
                taken = interval_text(left, seen.metric.percent)
                case = f"{' after '.join(titles)}: takes {taken} beyond noise"
                yield "" if side == 1 else case


def not_reproduced(seen: Evidence) -> Iterator[str]:
    named = {link.name for key in seen.entries for part in key[:2] for link in parsed(part).links}
    for name, complaints in seen.layout.meta.reruns.items():
        if name in named:
            more = f", and {len(complaints) - 1} more" * (len(complaints) > 1)
            yield f"{complaints[0]}{more}" if complaints else ""


def only_white_box(seen: Evidence) -> Iterator[str]:
    """By what a protection is called without its parameters: one row that was made elsewhere is
    enough for it, and says nothing of the others."""
    model = target_of(seen.task) or seen.layout.meta.model
    elsewhere: dict[str, bool] = {}
    for name in seen.of_kind("protection"):
        kind = _without_models(name, seen.layout.roles.ensemble)
        met = model in seen.layout.made_on(name)
        elsewhere[kind] = elsewhere.get(kind, False) or not met
    alone = [seen.layout.title(kind) for kind, met in elsewhere.items() if not met]
    if elsewhere:
        which = "all protections" if len(alone) == len(elsewhere) else ", ".join(alone)
        yield f"made on {model or 'the target'} alone: {which}" if alone else ""


def _without_models(name: str, ensemble: str) -> str:
    """A protection and its adaptations, but for parameters and the adaptation to several models."""
    spec = parsed(name)
    return "+".join([spec.name, *(one.name for one in spec.adaptations if one.name != ensemble)])
