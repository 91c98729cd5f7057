"""Warnings that a run's own tables raise about what it shows, in the form of AutoAttack's flags.

Croce and Hein 2020 print them beside a robustness that looks sound and may not be. Each check reads
what a run has measured anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import NamedTuple

from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.entries import ABSENT, Key
from impress_bench.leaderboard.findings.paired import side_of
from impress_bench.leaderboard.flags.evidence import Evidence, judged
from impress_bench.leaderboard.layout import base, parsed, subjects_text

#: LPIPS above which a perturbation is plain: the largest budget that GLAZE's authors offer is .1.
PLAIN = 0.1
#: Share of clean images whose style has to survive the autoencoder.
KEPT = 0.8


class Flag(NamedTuple):
    """A warning: when it is raised, why that matters, and what to do."""

    name: str
    raised_if: str
    matters: str
    remedy: str


def _few_subjects(seen: Evidence) -> Iterator[str]:
    few = seen.subjects < FEW
    yield subjects_text(seen.subjects) if few else ""


def _visible(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        mean = seen.visible.get(Key(name, "", "lpips"), ABSENT).summary.mean
        if mean is not None:
            yield f"{seen.layout.title(name)}: LPIPS {mean:.3f}" if mean > PLAIN else ""


def _adapted_is_weaker(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        for purifier in seen.reference_purifiers(name):
            gap = seen.gap((name, purifier), (str(parsed(name).adapted), purifier))
            titles = seen.layout.title(name), seen.layout.title(purifier)
            yield from judged(" after ".join(titles), gap)


def _cheaper_purifier(seen: Evidence) -> Iterator[str]:
    passes = seen.layout.meta.passes
    for name in seen.of_kind("protection"):
        for reference in seen.reference_purifiers(name):
            for other in seen.purifiers(name):
                if reference in passes and passes.get(other, 0.0) < passes[reference]:
                    titles = seen.layout.title(other), seen.layout.title(reference)
                    case = f"{seen.layout.title(name)}: {' beats '.join(titles)}"
                    yield from judged(case, seen.gap((name, other), (name, reference)))


def _more_passes_harm(seen: Evidence) -> Iterator[str]:
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


def _purifier_harms(seen: Evidence) -> Iterator[str]:
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


def _metrics_disagree(seen: Evidence) -> Iterator[str]:
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


def _judge_sees_the_decoder(seen: Evidence) -> Iterator[str]:
    none = seen.layout.roles.no_purifier
    for clean in seen.of_kind("clean"):
        own, decoded = (
            seen.inspected.get(Key(clean, none, measure), ABSENT).summary.mean
            for measure in ("own-style", "own-style-decoded")
        )
        if own is not None and decoded is not None:
            case = f"{100 * decoded:.0f} % of reconstructions, {100 * own:.0f} % of images"
            yield case if decoded < KEPT * own else ""


def _only_white_box(seen: Evidence) -> Iterator[str]:
    model, named = seen.layout.meta.model, seen.of_kind("protection")
    if named:
        elsewhere = any(model not in seen.layout.made_on(name) for name in named)
        case = f"made on {model or 'the target'}: all {len(named)} protections"
        yield "" if elsewhere else case


#: Each flag and its check. A check yields one line per case that it looks at: what raises the flag,
#: or "" where the case is clear.
CHECKS: list[tuple[Flag, Callable[[Evidence], Iterator[str]]]] = [
    (
        Flag(
            "few subjects",
            f"a task has fewer than {FEW} subjects",
            "intervals are wide and hold less often than they say",
            "run the next larger preset",
        ),
        _few_subjects,
    ),
    (
        Flag(
            "visible",
            f"mean LPIPS to the clean images is above {PLAIN:g}",
            "nobody would publish such images, so that what they protect is beside the point",
            "lower the budget",
        ),
        _visible,
    ),
    (
        Flag(
            "adapted is weaker",
            "after the reference purifier an adapted protection leaves the exploit more than the "
            "plain one",
            "an adaptation that fails in its own case says nothing of what adaptation can do",
            "tune it on validation subjects, or optimise for longer",
        ),
        _adapted_is_weaker,
    ),
    (
        Flag(
            "a cheaper purifier is better",
            "a purifier with fewer passes than the reference one serves the exploit better",
            "the reference purifier is then not the attacker that a protection has to survive",
            "read the strongest purifier of the row, not the reference one",
        ),
        _cheaper_purifier,
    ),
    (
        Flag(
            "more passes harm",
            "of two rows of one purifier the one with fewer passes serves the exploit better",
            "a purifier that overshoots is not the attacker that its length suggests",
            "read the shorter row, and choose the length on validation subjects",
        ),
        _more_passes_harm,
    ),
    (
        Flag(
            "a purifier harms",
            "a purifier takes more from clean images than it wins back from protected ones",
            "an attacker who cannot tell protected images from clean ones would not use it",
            "compare with clean images after the same purifier",
        ),
        _purifier_harms,
    ),
    (
        Flag(
            "metrics disagree",
            "by one metric a protection takes something beyond noise, by another it gives",
            "the metrics see different things, and the headline may see the wrong one",
            "look at the strips before concluding",
        ),
        _metrics_disagree,
    ),
    (
        Flag(
            "the judge sees the decoder",
            f"of clean images less than {KEPT:g} of the recognised keep their style when decoded",
            "scores then measure the autoencoder as well as what was learned",
            "judge with a classifier trained on reconstructions",
        ),
        _judge_sees_the_decoder,
    ),
    (
        Flag(
            "white box only",
            "every protection was made on the model that exploits it",
            "in the world a protection meets models that it has not seen",
            "add rows with `surrogate=`, or run the preset `transfer`",
        ),
        _only_white_box,
    ),
]


class Result(NamedTuple):
    """A flag, the cases that raise it, and whether a task has the rows, and the subjects, that its
    check needs."""

    flag: Flag
    cases: list[str]
    checked: bool


def results(seen: Evidence) -> list[Result]:
    """What each check finds in a task."""
    found = [(flag, list(check(seen))) for flag, check in CHECKS]
    return [Result(flag, [case for case in cases if case], bool(cases)) for flag, cases in found]
