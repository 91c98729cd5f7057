"""Some of the claimed cells, measured again from an empty store."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from impress_bench.benchmark.contract import State
from impress_bench.benchmark.harness.config.loading import load_preset
from impress_bench.benchmark.harness.execution.progress import Reporter
from impress_bench.benchmark.harness.runs.board_meta import read_meta
from impress_bench.benchmark.harness.runs.run import run
from impress_bench.benchmark.submissions.model import CELLS, Submission
from impress_bench.benchmark.submissions.reading import Complaint
from impress_bench.leaderboard import schema

CELL = list(schema.CELL)
#: How far a share of images may be from the claim, and any other figure: a part of it and a little
#: more. Another processor rounds otherwise, and an image may fall into another class.
SHARE, PART, MORE = 0.1, 0.02, 0.01


def rerun(
    submission: Submission,
    claimed: pd.DataFrame,
    share: float,
    seed: int,
    scratch: Path,
    reporter: Reporter | None = None,
) -> Iterator[Complaint]:
    """Complaints about cells that do not come out again: `share` of those claimed to be done, at
    least one, chosen by `seed`, run apart from this process and stored in `scratch`."""
    done = claimed[claimed["state"] == State.DONE]
    cells = sorted(done[CELL].drop_duplicates().itertuples(index=False, name=None))
    count = min(len(cells), max(1, math.ceil(share * len(cells))))
    for task, subject, protection, purifier, cell_seed in random.Random(seed).sample(cells, count):
        preset = load_preset(submission.claims.preset).override(
            {},
            tasks=[task],
            subjects=[subject],
            protections=[protection],
            purifiers=[purifier],
            seeds=[int(cell_seed)],
            inspections=False,
            isolate=True,
        )
        result = run(preset, scratch / "run", scratch / "store", reporter)
        meta = read_meta(json.loads((result.out / "provenance.json").read_bytes()))
        shares = {metric.name for metric in meta.metrics[task] if metric.percent}
        found = result.cells[result.cells["protection"] == protection].set_index("metric")
        place = " ".join((task, subject, protection, purifier, f"seed={cell_seed}"))
        chosen = (done[CELL] == [task, subject, protection, purifier, cell_seed]).all(axis=1)
        for metric, value in done.loc[chosen, ["metric", "value"]].itertuples(index=False):
            told = _compare(float(value), found.loc[str(metric)], metric in shares)
            if told:
                yield Complaint(submission.name, f"{CELLS}: {place} {metric}", told)


def _compare(claim: float, found: pd.Series, share: bool) -> str:
    """What is wrong with a claim; nothing where the figure came out again."""
    if found["state"] != State.DONE:
        return f"is claimed as {claim:.4g} and came out as {found['state']}: {found['reason']}"
    tolerance = SHARE if share else MORE + PART * abs(claim)
    if abs(claim - found["value"]) <= tolerance:
        return ""
    return (
        f"is claimed as {claim:.4g} and came out as {found['value']:.4g}, further apart than"
        f" {tolerance:.2g}; run it again with this version and send in what that measures"
    )
