"""What flags about images look at: how far a protection moved them, and what was noted of them. A
check yields one line per case: what raises the flag, or "" where the case is clear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import shorten

from impress_bench.benchmark.contract import State
from impress_bench.leaderboard.entries import ABSENT, Key
from impress_bench.leaderboard.flags.evidence import Evidence, judged
from impress_bench.leaderboard.layout import base, subjects_text
from impress_bench.leaderboard.render import interval_text
from impress_bench.leaderboard.statistics import paired_difference

#: LPIPS above which a perturbation is plain: the largest budget that GLAZE's authors offer is .1.
PLAIN = 0.1
#: By how much a value may exceed a bound that it meets to the digits that are shown.
ROUNDING = 0.0005
#: Reasons of failures that name values which are not finite; scores and metrics, which come after
#: all gradients, are left out.
NON_FINITE = re.compile(
    r"^(?!metric )(?!.*\bscored\b).*(\bNaN\b|\binf(inity|inite)?\b|not finite|not one finite"
    r"|FloatingPointError)",
    re.IGNORECASE | re.DOTALL,
)
#: Share of clean images whose style has to survive the autoencoder.
KEPT = 0.8


def visible(seen: Evidence) -> Iterator[str]:
    for name in seen.of_kind("protection"):
        entry = seen.visible.get(Key(name, "", "lpips"), ABSENT)
        mean = entry.summary.mean
        if mean is None:
            continue
        worst, largest = max(entry.by_subject.items(), key=lambda item: item[1])
        own = seen.layout.meta.lpips_budgets.get(name)
        beyond = "" if own is None or mean <= own + ROUNDING else f", with a budget of {own:g}"
        case = f"{seen.layout.title(name)}: LPIPS {mean:.3f}, {largest:.3f} for {worst}{beyond}"
        yield case if beyond or largest > PLAIN + ROUNDING else ""


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


def gradients_gone(seen: Evidence) -> Iterator[str]:
    """From what a run keeps of it: reasons of failed cells, images that did not change, and notes
    of adaptations that weigh two gradients."""
    failed = {
        key[:2]: str(entry.reason)
        for key, entry in seen.entries.items()
        if entry.state == State.FAILED and NON_FINITE.search(entry.reason or "")
    }
    for condition, reason in failed.items():
        yield f"{seen.layout.condition(*condition)}: {shorten(reason, 120, placeholder=' …')}"
    for name in seen.of_kind("protection"):
        title, found = seen.layout.title(name), []
        if base(name) != seen.layout.roles.partial:
            found.append(("unchanged", seen.visible.get(Key(name, "", "linf"), ABSENT)))
        for note in seen.gradient_notes(name):
            found.append((f"{note} 0", seen.noted.get(Key(name, "", note), ABSENT)))
        for what, entry in found:
            values = [value for each in entry.values.values() for value in each]
            zeros = sum(value == 0 for value in values)
            if values:
                yield f"{title}: {what} for {zeros} of {len(values)} images" if zeros else ""
