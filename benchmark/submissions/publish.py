"""From published results and accepted submissions to boards and the page at the root."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.folder import difference, read_part
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.submissions.cells import typed
from impress_bench.benchmark.submissions.claims import offered
from impress_bench.benchmark.submissions.model import Submission
from impress_bench.benchmark.submissions.reading import find_submissions, read
from impress_bench.leaderboard import write_boards
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.index import Section, index
from impress_bench.leaderboard.schema import CELLS
from impress_bench.leaderboard.write import build_boards


class Sent(NamedTuple):
    """An accepted submission and the cells that it claims."""

    submission: Submission
    origin: dict[str, Any]
    cells: pd.DataFrame


def publish(results: Path, submissions: Path, page: Path) -> list[Path]:
    """Write `page` and, into each folder of `results`, its boards with the rows of submissions of
    the same provenance. Submissions under a preset of which no results are published get a section
    of their own.

    Raises ConfigError for a submission that has not the form that `validate` asks for, before
    anything is written.
    """
    parts = [read_part(path) for path in sorted(results.iterdir()) if path.is_dir()]
    sent = [_accepted(folder) for folder in find_submissions(submissions)]
    sections, written = [], []
    for part in parts:
        here = [one for one in sent if not difference(part.origins[0], one.origin, False)]
        sent = [one for one in sent if one not in here]
        cells, meta = _together(part.frames.cells, part.meta, here)
        frames = (cells, *part.frames[1:3], meta)
        for old in (part.folder / "boards").glob("*"):
            old.unlink()
        written += write_boards(*frames, part.folder, notes=part.frames.notes)
        place = os.path.relpath(part.folder, page.parent).replace(os.sep, "/")
        boards = build_boards(*frames, part.frames.notes)
        sections.append(Section(_facts(part.origins, here), boards, Layout(meta), place))
    while sent:
        here = [one for one in sent if not difference(sent[0].origin, one.origin, False)]
        sent = [one for one in sent if one not in here]
        sections.append(_apart(here))
    make_folder(page.parent, "--out")
    write_atomically(page, index(sections).encode())
    return [*written, page]


def _apart(sent: Sequence[Sent]) -> Section:
    """A section of what was submitted under a preset without published results."""
    nothing = pd.DataFrame()
    cells, meta = _together(nothing, offered(sent[0].submission.claims.preset).meta, sent)
    boards = build_boards(cells, nothing, nothing, meta)
    facts = _facts([one.origin for one in sent], sent)
    return Section(facts, boards, Layout(meta), "")


def _accepted(folder: Path) -> Sent:
    reading = read(folder, current=False)
    if reading.complaints or reading.submission is None:
        raise ConfigError("; ".join(map(str, reading.complaints)))
    assert reading.cells is not None
    assert reading.provenance is not None
    return Sent(reading.submission, reading.provenance, typed(reading.cells))


def _together(
    cells: pd.DataFrame, meta: BoardMeta, sent: Sequence[Sent]
) -> tuple[pd.DataFrame, BoardMeta]:
    """Cells and display order with the submissions behind what was there; what a submission
    measured that is there already stays as it is."""
    cells = pd.concat([cells, *[one.cells for one in sent]], ignore_index=True)
    ordered = {}
    for names, column in (("protections", "protection"), ("purifiers", "purifier")):
        new = [name for one in sent for name in one.cells[column]]
        ordered[names] = list(dict.fromkeys([*getattr(meta, names), *new]))
    cells = cells.drop_duplicates(list(CELLS.place), ignore_index=True)
    return cells, meta.model_copy(update=ordered)


def _facts(origins: Sequence[Mapping[str, Any]], sent: Sequence[Sent]) -> list[str]:
    """What was run with what, and who sent in what."""
    first = origins[0]
    commits = dict.fromkeys(
        one["git"]["commit"][:12] for one in origins if one.get("git") is not None
    )
    model = first["models"]["target"]
    facts = [
        ", ".join(
            [
                f"Preset `{first['preset']['name']}`",
                f"impress-bench {first['packages'][OURS]}",
                *[f"commit {commit}" for commit in commits],
                f"from {first['started'][:10]} on",
            ]
        ),
        f"Model `{model['name']}`, digest {model['digest'][:12]}",
    ]
    return facts + [_described(one.submission) for one in sent]


def _described(submission: Submission) -> str:
    """A line about a submission: it may hold no markup, and its address may not end the link."""
    paper = ""
    if submission.paper is not None:
        address = str(submission.paper).replace("(", "%28").replace(")", "%29")
        paper = f", [described]({address})"
    summary = re.sub(r"([\\*_#!~&])", r"\\\1", submission.summary)
    return f"`{submission.name}`: {summary} ({submission.licence}{paper}; as submitted)"
