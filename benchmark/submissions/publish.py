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
from typing import Any, NamedTuple

import pandas as pd

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.runs.folder import Part, difference, read_part, shared_places
from impress_bench.benchmark.harness.runs.pages import run_lines, source_of
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.keys import canonical_json, sha256
from impress_bench.benchmark.submissions import cells as cells_form
from impress_bench.benchmark.submissions import distances as distances_form
from impress_bench.benchmark.submissions.grid import offered
from impress_bench.benchmark.submissions.measured import complaints_of, measured_part
from impress_bench.benchmark.submissions.model import Submission
from impress_bench.benchmark.submissions.reading import read, survey
from impress_bench.leaderboard.caution import FEW
from impress_bench.leaderboard.html import Source, write_site
from impress_bench.leaderboard.html.texts import slug
from impress_bench.leaderboard.layout import Layout, parsed, target_of
from impress_bench.leaderboard.meta import BoardMeta
from impress_bench.leaderboard.pages.index import index
from impress_bench.leaderboard.pages.section import Section
from impress_bench.leaderboard.schema import CELLS, PROTECTIONS, Table
from impress_bench.leaderboard.write import build_boards, write_boards

CLAIMED = "Claimed, not re-measured"


class Sent(NamedTuple):
    """A submission, where its figures come from, the figures, and what came out differently when it
    was measured again: None if nobody did."""

    submission: Submission
    origin: dict[str, Any]
    cells: pd.DataFrame
    distances: pd.DataFrame
    meta: BoardMeta
    complaints: list[str] | None = None


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
    parts = sorted(stored, key=lambda part: _reading_order(part, stored))
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
    homes = [_home(one, parts) for one in sent]
    for part in parts:
        here = [_added(one, part) for one, home in zip(sent, homes, strict=True) if home is part]
        cells, distances, meta = _together(
            part.frames.cells, part.frames.protections, part.meta, here
        )
        shown = (cells, distances, part.frames.inspections, meta)
        for old in (part.folder / "boards").glob("*"):
            old.unlink()
        boards = build_boards(*shown, part.frames.notes)
        written += write_boards(*shown, part.folder, boards=boards)
        place = os.path.relpath(part.folder, page.parent).replace(os.sep, "/")
        facts = _facts(part.origins, here)
        sections.append(Section(facts, boards, Layout(meta), place))
        if html is not None:
            frames = part.frames._replace(cells=cells, protections=distances)
            together = replace(part, frames=frames, meta=meta)
            source = source_of(together, _page_name(part.folder.name))
            sources.append(replace(source, facts=facts))
    homeless = [one for one, home in zip(sent, homes, strict=True) if home is None]
    for group, claimed in [(one, False) for one in _alike(homeless)] + [
        (one, True) for one in _alike(claims)
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


def _home(sent: Sent, parts: Sequence[Part]) -> Part | None:
    """The published results in whose tables a submission that was measured again stands: of those
    that agree with it in all that cells depend on and in the seeds, those that share most subjects
    with it, of equals the first; None if none does."""
    shared = {}
    for at, part in enumerate(parts):
        places = shared_places(sent.cells, part.frames.cells)
        if (
            places
            and not _other_seeds(sent.cells, part.frames.cells)
            and not any(
                difference(origin, sent.origin, libraries=False, remarks=False)
                for origin in part.origins
            )
        ):
            shared[at] = len(places)
    return parts[max(shared, key=lambda at: shared[at])] if shared else None


def _other_seeds(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether a task that both tables of cells have was exploited with other seeds in one of them:
    what stands in one table has met the same noise."""
    seeds = [
        {task: set(rows["seed"]) for task, rows in frame.groupby("task")} for frame in (one, other)
    ]
    return any(seeds[0][task] != seeds[1][task] for task in seeds[0].keys() & seeds[1].keys())


def _added(sent: Sent, part: Part) -> Sent:
    """What a submission brings into the tables of published results: a protection its own rows and
    the noise that they are measured against, a purifier its cells of the protections there. What
    else it was compared with is published, and for more subjects."""
    column = sent.cells[sent.submission.kind]
    names = list(dict.fromkeys(column))
    own = [name for name in names if parsed(name).name == sent.submission.name]
    if sent.submission.kind == "protection":
        layout = Layout(sent.meta)
        own += [name for name in names if any(layout.matches(name, one) for one in own)]
        kept = column.isin(own)
    else:
        there = set(_rows(part.frames.cells))
        known = [row in there for row in _rows(sent.cells)]
        kept = column.isin(own) & pd.Series(known, index=column.index)
    cells = sent.cells[kept]
    places = set(_rows(cells, "subject"))
    moved = [row in places for row in _rows(sent.distances, "subject")]
    return sent._replace(cells=cells, distances=sent.distances[moved])


def _rows(frame: pd.DataFrame, *further: str) -> Iterator[tuple[str, ...]]:
    """Task and protection of each line of a table, and `further` columns."""
    return frame[["task", "protection", *further]].itertuples(index=False, name=None)


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


def _alike(sent: Sequence[Sent]) -> list[list[Sent]]:
    """Those that may share a table."""
    groups: list[list[Sent]] = []
    for one in sent:
        for group in groups:
            if not difference(group[0].origin, one.origin, False):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


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


def _reading_order(part: Part, parts: Sequence[Part]) -> tuple[bool, bool, bool, bool, int]:
    """What is read first: results of which some task can conclude, of one model, of the latest
    version of it that was published, of which all tasks can conclude, of the most subjects."""
    subjects = part.frames.cells.groupby("task")["subject"].nunique()
    enough = subjects[subjects >= FEW]
    several = any(target_of(task) is not None for task in subjects.index)
    replaced = any(_replaced_by(part, other) for other in parts)
    return enough.empty, several, replaced, len(enough) < len(subjects), -int(enough.sum())


def _replaced_by(part: Part, other: Part) -> bool:
    """Whether another set of results is of a later version of the same model: of one with the same
    name and other weights, begun later."""
    (name, digest), (others, another) = (
        (model["name"], model["digest"])
        for model in (one.origins[0]["models"]["target"] for one in (part, other))
    )
    begun = [max(origin["started"] for origin in one.origins) for one in (part, other)]
    return bool(name == others and digest != another and begun[0] < begun[1])


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
