"""From published results and submissions to boards and the page at the root.

What a trusted machine measured again stands in tables beside our own results. What is only claimed
stands apart, under a heading that says so: no claim ever shares a table with a measurement.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.folder import read_part
from impress_bench.benchmark.harness.runs.pages import run_lines, source_of
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.submissions import cells as cells_form
from impress_bench.benchmark.submissions import distances as distances_form
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.benchmark.submissions.measured import complaints_of, measured_part
from impress_bench.benchmark.submissions.model import Submission
from impress_bench.benchmark.submissions.publishing.placing import (
    Sent,
    added,
    alike,
    home,
    reading_order,
)
from impress_bench.benchmark.submissions.publishing.unrun import unrun, unrun_lines
from impress_bench.benchmark.submissions.reading import read, survey
from impress_bench.leaderboard.html import Source, write_site
from impress_bench.leaderboard.html.texts import slug
from impress_bench.leaderboard.layout import Layout
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.index import index
from impress_bench.leaderboard.pages.section import Section
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS, Table
from impress_bench.leaderboard.write import build_boards, write_boards

CLAIMED = "Claimed, not re-measured"


def publish(
    results: Path, submissions: Path, page: Path, measured: Path, html: Path | None = None
) -> list[Path]:
    """Write `page` and, into each folder of `results`, its boards with the rows of submissions that
    were measured again in the same way, in `measured`. Those measured in another way get sections
    of their own, and so does what is only claimed. With `html`, pages of the same are written
    into that folder. Returns the files; of the pages, index.html alone.

    Raises ConfigError for a submission that has not the form that `validate` asks for, and for what
    lies beside the folders of submissions, before anything is written.
    """
    stored = [read_part(path) for path in sorted(results.iterdir()) if path.is_dir()]
    parts = sorted(stored, key=lambda part: reading_order(part, stored))
    folders, strays = survey(submissions)
    if strays:
        raise ConfigError("; ".join(map(str, strays)))
    sent, claims = [], []
    for folder in folders:
        claim = _accepted(folder)
        part = measured_part(measured, folder)
        if part is None:
            claims.append(claim._replace(complaints=complaints_of(measured, folder)))
        else:
            frames = part.frames
            tables = (frames.cells, frames.protections, part.meta)
            sent.append(Sent(claim.submission, part.origins[0], *tables, complaints=[]))
    sections, written = [], []
    sources: list[Source] = []
    homes = [home(one, parts) for one in sent]
    for part in parts:
        here = [added(one, part) for one, place in zip(sent, homes, strict=True) if place is part]
        meta = part.meta.model_copy(update={"unrun": unrun(part)})
        cells, distances, meta = _together(part.frames.cells, part.frames.protections, meta, here)
        shown = (cells, distances, part.frames.inspections, meta)
        for old in (part.folder / "boards").glob("*"):
            old.unlink()
        boards = build_boards(*shown, part.frames.notes)
        written += write_boards(*shown, part.folder, boards=boards)
        place = os.path.relpath(part.folder, page.parent).replace(os.sep, "/")
        facts = [*_facts(part.origins, here), *unrun_lines(meta)]
        sections.append(Section(facts, boards, Layout(meta), place))
        if html is not None:
            frames = part.frames._replace(cells=cells, protections=distances)
            together = replace(part, frames=frames, meta=meta)
            source = source_of(together, _page_name(part.folder.name))
            sources.append(replace(source, facts=facts))
    homeless = [one for one, place in zip(sent, homes, strict=True) if place is None]
    for group, claimed in [(one, False) for one in alike(homeless)] + [
        (one, True) for one in alike(claims)
    ]:
        section, source = _apart(group, claimed)
        sections.append(section)
        sources.append(source)
    make_folder(page.parent, "--out")
    write_atomically(page, index(sections).encode())
    written.append(page)
    if html is not None and sources:
        write_site(_named_apart(sources), make_folder(html, "--html"))
        written.append(html / "index.html")
    return written


def _page_name(name: str) -> str:
    """The name of a page: that of the folder of results, as far as file names go."""
    return slug(name) or "results"


def _named_apart(sources: Sequence[Source]) -> list[Source]:
    """The sources with a number behind each name that an earlier one has."""
    names: dict[str, int] = {}
    apart = []
    for source in sources:
        names[source.name] = count = names.get(source.name, 0) + 1
        apart.append(replace(source, name=source.name + f"-{count}" * (count > 1)))
    return apart


def _apart(sent: Sequence[Sent], claimed: bool) -> tuple[Section, Source]:
    """A section, and a page, of submissions without published results of ours."""
    nothing = pd.DataFrame()
    cells, distances, meta = _together(nothing, nothing, sent[0].meta, sent)
    facts = _facts([one.origin for one in sent], sent)
    if claimed:
        title = f"{CLAIMED}: {meta.title}".removesuffix(": ")
        meta = meta.model_copy(update={"title": title})
        facts = [*_cautions(sent), *facts, *_identities(sent[0].origin)]
    boards = build_boards(cells, distances, nothing, meta)
    name = _page_name(f"{'claimed' if claimed else 'sent'}-{sent[0].submission.name}")
    source = Source(name, cells, distances, nothing, None, meta, facts, [sent[0].origin])
    return Section(facts, boards, Layout(meta), "", claimed), source


def _cautions(sent: Sequence[Sent]) -> Iterator[str]:
    """What a reader must know of claims. What came out differently is on their board of flags:
    it may quote a plugin, and a line here is not escaped."""
    told = "Figures as their authors sent them in"
    if all(one.complaints is None for one in sent):
        told += ": nobody else has measured them"
    theirs, ours = sent[0].submission.claims.benchmark, version(OURS)
    yield told if theirs == ours else f"{told}, and they are of version {theirs}, not {ours}"
    for one in sent:
        if one.complaints:
            name = one.submission.name
            yield f"`{name}` was measured again, and did not come out as claimed: see its flags"


def _identities(origin: Mapping[str, Any]) -> list[str]:
    """Digests of what a claim depends on."""
    packages = ", ".join(f"{name} {number}" for name, number in origin["packages"].items())
    settings = sha256(canonical_json(origin["preset"]).encode())
    pack = origin.get("pack")
    return [
        f"Settings, digest {settings[:12]}" + (f"; pack, digest {pack[:12]}" if pack else ""),
        f"Python {origin['python']}, {packages}",
    ]


def _accepted(folder: Path) -> Sent:
    """A submission as it claims to be. Raises ConfigError."""
    reading = read(folder, current=False)
    if reading.complaints or reading.claimed is None:
        raise ConfigError("; ".join(map(str, reading.complaints)))
    claimed = reading.claimed
    try:
        meta = offered(claimed.submission.claims.preset).meta
    except ConfigError:  # of another version
        meta = BoardMeta(title=f"Preset {claimed.submission.claims.preset}")
    cells = cells_form.typed(claimed.cells)
    distances = distances_form.typed(claimed.distances)
    return Sent(claimed.submission, claimed.provenance, cells, distances, meta)


def _together(
    cells: pd.DataFrame, distances: pd.DataFrame, meta: BoardMeta, sent: Sequence[Sent]
) -> tuple[pd.DataFrame, pd.DataFrame, BoardMeta]:
    """Tables and display order with the submissions behind what was there; what a submission
    measured that is there already stays as it is."""
    cells = pd.concat([cells, *[one.cells for one in sent]], ignore_index=True)
    distances = pd.concat([distances, *[one.distances for one in sent]], ignore_index=True)
    # A plugin's own title could be that of another row.
    names = {one.submission.name: one.submission.name for one in sent}
    about = {f"{one.submission.kind} {one.submission.name}": _said(one.submission) for one in sent}
    reruns = {one.submission.name: one.complaints for one in sent if one.complaints is not None}
    ordered: dict[str, Any] = {
        "titles": {**meta.titles, **names}, "about": {**meta.about, **about},
        "reruns": {**meta.reruns, **reruns},
    }  # fmt: skip
    for field, column in (("protections", "protection"), ("purifiers", "purifier")):
        new = [name for one in sent for name in one.cells[column] if name]
        ordered[field] = list(dict.fromkeys([*getattr(meta, field), *new]))
    return _first(cells, CELLS), _first(distances, PROTECTIONS), meta.model_copy(update=ordered)


def _first(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """One row for each place: the first."""
    return frame.drop_duplicates(list(table.place), ignore_index=True) if len(frame) else frame


def _facts(origins: Sequence[Mapping[str, Any]], sent: Sequence[Sent]) -> list[str]:
    """What was run with what, and who sent in what."""
    return run_lines(origins) + [_described(one.submission) for one in sent]


def _said(submission: Submission) -> str:
    """What its authors say of a submission."""
    return f"{submission.summary} ({submission.licence}; as submitted)"


def _described(submission: Submission) -> str:
    """A line about a submission, which holds no markup of its own."""
    paper = f", [described]({submission.paper})" if submission.paper is not None else ""
    return f"`{submission.name}`: {submission.summary} ({submission.licence}{paper}; as submitted)"
