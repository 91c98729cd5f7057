"""A whole submission measured again, from outside and from an empty store.

The plugin works in processes of its own, under another interpreter if one is named; every figure is
made on this side. What comes out is what is published; claims that differ are complained about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from packaging.utils import canonicalize_name

from impress_bench.benchmark.contract import NORMS, State
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.submissions.cells import PLACE, typed
from impress_bench.benchmark.submissions.claims import Claimed
from impress_bench.benchmark.submissions.code_that_ran import (
    changed,
    notes_sources,
    with_sources,
)
from impress_bench.benchmark.submissions.distances import typed as typed_distances
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.benchmark.submissions.lines import MOST
from impress_bench.benchmark.submissions.model import CELLS, DISTANCES
from impress_bench.benchmark.submissions.reading import Complaint
from impress_bench.benchmark.submissions.repeatability import Repeatability, load_repeatability
from impress_bench.benchmark.tasks.base import Range

AGAIN = "run it again with this version and send in what that measures"
ROW = ["task", "subject", "protection"]
#: The least by which distances of 8-bit images differ: one value by one level.
STEPS = {"linf": 1 / 255, "l2": 1 / 255}
#: In how many cells a share may be an image off: of a metric's cells one in so many, or one cell.
#: Another machine moves few, a claim that leans moves all.
ONE_IN = 10


def preset_of(claimed: Claimed, python: str | None) -> Preset:
    """What is run: the claimed rows and what they are compared with, as a submission holds them."""
    submission = claimed.submission
    kind, preset = submission.kind, load_preset(submission.claims.preset)
    rows = offered(preset.name).rows(kind, claimed.specs)
    other = "purifiers" if kind == "protection" else "protections"
    columns = [str(spec) for spec in preset.specs(other)]
    return preset.override(
        {}, isolate=True, plugin_python=python, **{f"{kind}s": rows, other: columns}
    )


def rerun(
    claimed: Claimed,
    scratch: Path,
    python: str | None = None,
    reporter: Reporter | None = None,
) -> tuple[Path, list[Complaint]]:
    """The folder of the run, and complaints about claims that did not come out again.

    `python` is the interpreter of the environment in which the plugin is installed; without it,
    the plugin is one of this environment. Raises ConfigError where nobody has measured how closely
    figures of the preset come out again.
    """
    known = load_repeatability(claimed.submission.claims.preset)
    result = run(preset_of(claimed, python), scratch / "run", scratch / "store", reporter)
    return result.out, compare(claimed, result.out, known)


def compare(claimed: Claimed, out: Path, known: Repeatability) -> list[Complaint]:
    """Complaints about claims that differ from the run in `out`."""
    part = read_part(out)
    found = [
        *_pinned(claimed, part.origins[0]),
        *_cells(claimed, part.frames.cells, known),
        *_distances(claimed, part.frames.protections, known),
    ]
    name = claimed.submission.name
    told = [Complaint(name, field, problem) for field, problem in found]
    if told and known.provisional:
        note = "the tolerance is provisional: see benchmark/submissions/repeatability"
        told.append(Complaint(name, "", note))
    if len(told) > MOST:
        rest = Complaint(name, "", f"and {len(told) - MOST} more; {AGAIN}")
        return [*told[:MOST], rest]
    return told


def _pinned(claimed: Claimed, origin: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was run must be what is pinned."""
    submission = claimed.submission
    pinned = submission.distribution
    for spec in claimed.specs:
        name = f"{submission.kind} {spec}"
        ran = origin["components"].get(name, {})
        by, version = str(ran.get("distribution")), ran.get("version")
        if canonicalize_name(by) != canonicalize_name(pinned.name):
            yield name, f"came from {by}, not from the distribution pinned, {pinned.name}"
        elif pinned.version not in (None, version):
            yield name, f"came in version {version}, not in the one pinned, {pinned.version}"
        elif told := _other_code(claimed.provenance, origin, name):
            yield name, f"is not the code that the claims were measured with ({told}); {AGAIN}"


def _other_code(claimed: dict[str, Any], origin: dict[str, Any], name: str) -> str:
    """In what a component of a run is other code than the one of the claims; "" in nothing, as far
    as both noted."""
    here: dict[str, Any] = origin["components"][name]
    source = notes_sources(claimed)
    if source and not notes_sources(origin):
        found = with_sources(here, origin["preset"]["plugin_python"])
        here, source = found or here, found is not None
    return changed(claimed["components"].get(name, {}), here, source)


def _cells(
    claimed: Claimed, found: pd.DataFrame, known: Repeatability
) -> Iterator[tuple[str, str]]:
    measured: dict[Any, dict[Any, Any]] = found.set_index(PLACE).to_dict("index")
    off: dict[str, list[int]] = {}
    tasks = offered(claimed.submission.claims.preset).tasks
    for row in typed(claimed.cells).to_dict("records"):
        place = tuple(row[column] for column in PLACE)
        where, here = f"{CELLS}: {' '.join(map(str, place))}", measured.get(place)
        if here is None:
            yield where, f"was not measured again; {AGAIN}"
        elif row["state"] != here["state"]:
            told = f"is claimed as {row['state']} and came out as {here['state']}"
            yield where, f"{told}: {here['reason']}" if here["reason"] else told
        elif row["state"] == State.DONE:
            metric, claim, value = str(row["metric"]), float(row["value"]), float(here["value"])
            range_ = tasks[row["task"]].ranges.get(metric, Range())
            step = 1 / range_.parts if range_.parts else 0.0
            if told := _apart(claim, value, known.tolerance(metric, step)):
                yield where, told
            elif step:
                differs = abs(claim - value) > step / 2
                off.setdefault(metric, []).append(differs * (1 if claim > value else -1))
    for metric, each in off.items():
        if told := _leaning(each):
            yield f"{CELLS}: {metric}", told


def _leaning(off: list[int]) -> str:
    """What is wrong with a metric's claims as a whole; nothing where few are an image too high (1)
    or too low (-1)."""
    high, low = off.count(1), off.count(-1)
    if high + low <= max(1, len(off) / ONE_IN):
        return ""
    return (
        f"of {len(off)} cells that came out again to an image, {high} are claimed an image too high"
        f" and {low} an image too low, more than one in {ONE_IN}; {AGAIN}"
    )


def _distances(
    claimed: Claimed, found: pd.DataFrame, known: Repeatability
) -> Iterator[tuple[str, str]]:
    """The largest distance of each row: which image is which is of no account."""
    ours = typed_distances(claimed.distances)
    for norm in NORMS:
        claims: dict[Any, float] = ours.groupby(ROW)[norm].max().to_dict()
        measured: dict[Any, float] = found.groupby(ROW)[norm].max().to_dict()
        for place, value in claims.items():
            where = f"{DISTANCES}: {' '.join(map(str, place))} {norm}"
            here = measured.get(place)
            if here is None:
                yield where, f"was not measured again; {AGAIN}"
                continue
            same = math.isnan(value) or math.isnan(here)
            tolerance = known.tolerance(norm, STEPS.get(norm, 0.0))
            told = "" if same else _apart(float(value), float(here), tolerance)
            if told:
                yield where, told


def _apart(claim: float, found: float, tolerance: float) -> str:
    """What is wrong with a claim; nothing where the figure came out again."""
    if abs(claim - found) <= tolerance:
        return ""
    return (
        f"is claimed as {claim:.4g} and came out as {found:.4g}, further apart than"
        f" {tolerance:.2g}; {AGAIN}"
    )
