"""From published results and accepted submissions to boards and the page at the root."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.harness.errors import ConfigError
from impress_bench.benchmark.harness.files import make_folder, write_atomically
from impress_bench.benchmark.harness.merge import Part, read_part
from impress_bench.benchmark.submissions.model import Submission
from impress_bench.benchmark.submissions.reading import find_submissions, read
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.index import Section, index
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.write import build_boards


class Sent(NamedTuple):
    """An accepted submission and the cells that it claims."""

    submission: Submission
    origin: Mapping[str, Any]
    cells: pd.DataFrame


def publish(results: Path, submissions: Path, page: Path) -> list[Path]:
    """Write `page` and, into each folder of `results`, its boards with the rows of submissions of
    the same provenance.

    Raises ConfigError for a submission that `validate` refuses, and for one measured under a preset
    of which there are no results to stand beside.
    """
    parts = [read_part(path) for path in sorted(results.iterdir()) if path.is_dir()]
    sent = [_accepted(folder) for folder in find_submissions(submissions)]
    sections, written = [], []
    for part in parts:
        here = [one for one in sent if _provenance(one.origin) == _provenance(part.origins[0])]
        cells, meta = _together(part, here)
        frames = (cells, *part.frames[1:3], meta)
        boards = build_boards(*frames, part.frames.notes)
        written += write_boards(*frames, part.folder, notes=part.frames.notes)
        place = os.path.relpath(part.folder, page.parent).replace(os.sep, "/")
        sections.append(Section(_facts(part, here), boards, Layout(meta), place))
        sent = [one for one in sent if one not in here]
    if sent:
        names = ", ".join(one.submission.name for one in sent)
        raise ConfigError(f"{submissions}: no results in {results} have the provenance of {names}")
    make_folder(page.parent, "--out")
    write_atomically(page, index(sections).encode())
    return [*written, page]


def _accepted(folder: Path) -> Sent:
    reading = read(folder)
    if reading.complaints or reading.submission is None:
        raise ConfigError("; ".join(map(str, reading.complaints)))
    assert reading.cells is not None
    assert reading.provenance is not None
    cells = reading.cells.assign(
        seed=reading.cells["seed"].astype(int), value=pd.to_numeric(reading.cells["value"])
    )
    return Sent(reading.submission, reading.provenance, cells)


def _provenance(origin: Mapping[str, Any]) -> tuple[Any, ...]:
    """What rows of one table have in common: preset, models, version and schema of keys."""
    models = {role: model["digest"] for role, model in origin["models"].items()}
    version = origin["packages"]["impress-bench"]
    return origin["preset"]["name"], models, version, origin["key_schema"]


def _together(part: Part, sent: Sequence[Sent]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Cells and display order with the submissions behind what was there; what a submission
    measured that is there already stays as it is."""
    cells = pd.concat([part.frames.cells, *[one.cells for one in sent]], ignore_index=True)
    where = [column for column in cells if column not in ("value", "state", "reason")]
    meta = dict(part.meta)
    for names, column in (("protections", "protection"), ("purifiers", "purifier")):
        new = [name for one in sent for name in one.cells[column]]
        meta[names] = list(dict.fromkeys([*meta[names], *new]))
    return cells.drop_duplicates(where, ignore_index=True), meta


def _facts(part: Part, sent: Sequence[Sent]) -> list[str]:
    origin = part.origins[0]
    commits = dict.fromkeys(
        one["git"]["commit"][:12] if one["git"] else "unknown" for one in part.origins
    )
    model = origin["models"]["target"]
    facts = [
        f"Preset `{origin['preset']['name']}`, impress-bench {origin['packages']['impress-bench']},"
        f" commit {', '.join(commits)}, from {origin['started'][:10]} on",
        f"Model `{model['name']}`, digest {model['digest'][:12]}",
    ]
    for one in sent:
        paper = f", [described]({one.submission.paper})" if one.submission.paper else ""
        facts.append(
            f"`{one.submission.name}`: {one.submission.summary} ({one.submission.licence}"
            f"{paper}; as submitted)"
        )
    return facts
