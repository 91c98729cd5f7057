"""What each flag looks at. A check yields one line per case: what raises the flag, or "" where the
case is clear."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.entries import ABSENT, Key
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.flags.evidence import Evidence, judged
from impress_bench.leaderboard.layout import base, parsed, subjects_text
from impress_bench.leaderboard.render import interval_text
from impress_bench.leaderboard.schema import control
from impress_bench.leaderboard.statistics import paired_difference

#: LPIPS above which a perturbation is plain: the largest budget that GLAZE's authors offer is .1.
PLAIN = 0.1
#: Share of clean images whose style has to survive the autoencoder.
KEPT = 0.8


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


def visible(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        mean = seen.visible.get(Key(name, "", "lpips"), ABSENT).summary.mean
        if mean is not None:
            yield f"{seen.layout.title(name)}: LPIPS {mean:.3f}" if mean > PLAIN else ""


def noise_falls_short(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        for noise in seen.of_kind("noise"):
            if seen.layout.matched(noise) != name:
                continue
            own, theirs = (
                seen.visible.get(Key(one, "", "lpips"), ABSENT).by_subject for one in (name, noise)
            )
            gap = paired_difference(own, theirs)
            less = sum(own[one] > theirs[one] for one in own.keys() & theirs.keys())
            case = f"{seen.layout.title(name)}: by LPIPS {interval_text(gap, False, False)}"
            yield from judged(f"{case}, less visible for {less} of {gap.n} subjects", gap)


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


def judge_sees_the_decoder(seen: Evidence) -> Iterator[str]:
    none = seen.layout.roles.no_purifier
    for clean in seen.of_kind("clean"):
        own, decoded = (
            seen.inspected.get(Key(clean, none, measure), ABSENT).summary.mean
            for measure in ("own-style", "own-style-decoded")
        )
        if own is not None and decoded is not None:
            case = f"{100 * decoded:.0f} % of reconstructions, {100 * own:.0f} % of images"
            case += f" ({subjects_text(seen.subjects)})"
            yield case if decoded < KEPT * own else ""


def only_white_box(seen: Evidence) -> Iterator[str]:
    model, named = seen.layout.meta.model, seen.of_kind("protection")
    if named:
        elsewhere = any(model not in seen.layout.made_on(name) for name in named)
        case = f"made on {model or 'the target'}: all {len(named)} protections"
        yield "" if elsewhere else case
