"""Warnings that a run's own tables raise about what it shows, in the form of AutoAttack's flags.

Croce and Hein 2020 print them beside a robustness that looks sound and may not be. Each check reads
what a run has measured anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.flags import checks, images
from impress_bench.leaderboard.flags.evidence import MILD, Evidence


class Flag(NamedTuple):
    """A warning: when it is raised, why that matters, and what to do."""

    name: str
    raised_if: str
    matters: str
    remedy: str


#: Each flag and its check.
CHECKS: list[tuple[Flag, Callable[[Evidence], Iterator[str]]]] = [
    (
        Flag(
            "few subjects",
            f"a task has fewer than {FEW} subjects",
            "intervals are wide and hold less often than they say",
            "run more subjects (`--subjects`, or a larger preset)",
        ),
        checks.few_subjects,
    ),
    (
        Flag(
            "learning is not shown",
            "the exploit of clean images is not shown to beat the control that has none of them; "
            f"of fewer than {FEW} subjects, its mean is no better",
            "what is not learned from clean images cannot be taken by a protection",
            "look at the strips; choose the exploit's settings on validation subjects, or run more "
            "subjects",
        ),
        checks.learning_not_shown,
    ),
    (
        Flag(
            "visible",
            f"LPIPS to the clean images is above {images.PLAIN:g} for a subject, or in the mean "
            "above the protection's own budget of LPIPS; bounds of L-infinity and L2, which others "
            "have alone, say nothing of LPIPS",
            "nobody would publish such images, so that what they protect is beside the point; a "
            "protection beyond its budget is another one than it says",
            "lower the budget",
        ),
        images.visible,
    ),
    (
        Flag(
            "noise falls short",
            "the noise that is to be as visible as a protection is less visible by LPIPS",
            "what the protection then takes more than that noise is in part what is more visible",
            "raise the noise's bound, or mistrust small differences",
        ),
        images.noise_falls_short,
    ),
    (
        Flag(
            "adapted is weaker",
            "after the reference purifier an adapted protection leaves the exploit more than the "
            "plain one",
            "an adaptation that fails in its own case says nothing of what adaptation can do",
            "tune it on validation subjects, or optimise for longer",
        ),
        checks.adapted_is_weaker,
    ),
    (
        Flag(
            "a cheaper purifier is better",
            "a purifier with fewer passes through networks per image than the reference one, on "
            "average over the run's tasks, serves the exploit better",
            "the reference purifier is then not the attacker that a protection has to survive",
            "read the strongest purifier of the row, not the reference one",
        ),
        checks.cheaper_purifier,
    ),
    (
        Flag(
            "more passes harm",
            "of two rows of one purifier the one with fewer passes serves the exploit better",
            "a purifier that overshoots is not the attacker that its length suggests",
            "read the shorter row, and choose the length on validation subjects",
        ),
        checks.more_passes_harm,
    ),
    (
        Flag(
            "a purifier harms",
            "a purifier takes more from clean images than it wins back from protected ones",
            "an attacker who cannot tell protected images from clean ones would not use it",
            "compare with clean images after the same purifier",
        ),
        checks.purifier_harms,
    ),
    (
        Flag(
            "metrics disagree",
            "by one metric a protection takes something beyond noise, by another it gives",
            "the metrics see different things, and the headline may see the wrong one",
            "look at the strips before concluding",
        ),
        checks.metrics_disagree,
    ),
    (
        Flag(
            "the judge sees the decoder",
            f"of clean images less than {images.KEPT:g} of the recognised keep their style when "
            "decoded",
            "scores then measure the autoencoder as well as what was learned",
            "judge with a classifier trained on reconstructions",
        ),
        images.judge_sees_the_decoder,
    ),
    (
        Flag(
            "white box only",
            "all rows of a protection, whatever their parameters, were made on the model that "
            "exploits it",
            "in the world a protection meets models that it has not seen",
            "add rows with `surrogate=`, or run the preset `transfer`",
        ),
        checks.only_white_box,
    ),
    (
        Flag(
            "gone after mild JPEG",
            "what a protection takes beyond noise that is as visible lies beyond 0 as published, "
            f"and no longer after JPEG of quality {MILD} or more, which the noise went through "
            "too; rounding to 8 bits is in all figures, since images are rounded before they are "
            "exploited",
            "websites compress what is uploaded, without meaning to purify it",
            "optimise through compression, or raise the budget; `jpeg[quality=95]` adds the rows",
        ),
        checks.ends_at_mild_compression,
    ),
    (
        Flag(
            "non-finite or zero gradients left traces",
            "a cell failed for values that are not finite, a protection left an image as it was, "
            "or an adaptation noted a cosine or a share of exactly 0; other gradients leave no "
            "trace in a run: those that vanish or overflow for some steps only are not seen",
            "an attack without a gradient says nothing of what its objective could do",
            "compute in float32, change the step or the scale of the objective, and look at the "
            "diagnostics",
        ),
        images.gradients_gone,
    ),
    (
        Flag(
            "not reproduced",
            "a submission that a maintainer measured again came out differently, by more than "
            "machines differ",
            "what is claimed then is not what the plugin does, or depends on what was not pinned",
            "read the measured figures, or none until the author has run it again",
        ),
        checks.not_reproduced,
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
