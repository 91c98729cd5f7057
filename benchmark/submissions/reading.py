"""A submission's folder, read without trusting it, and every complaint about it.

Nothing of it is run and nothing is asked of a network: paths, links and sizes come first, then the
form, then the digests, then what the claims say. A submission is a folder `submissions/NAME/`.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from impress_bench.benchmark.harness.plugins.component import OURS
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions import cells as cells_form
from impress_bench.benchmark.submissions import distances as distances_form
from impress_bench.benchmark.submissions.claims import Claimed, check_claims, warnings
from impress_bench.benchmark.submissions.lines import MOST
from impress_bench.benchmark.submissions.model import (
    CELLS,
    DISTANCES,
    FILES,
    PROVENANCE,
    SUBMISSION,
    Submission,
)
from impress_bench.benchmark.submissions.origin import parse_origin

#: Bytes of each file: more than a run of any preset writes, and little enough to read at once.
LARGEST = {
    SUBMISSION: 16 * 2**10,
    CELLS: 8 * 2**20,
    DISTANCES: 4 * 2**20,
    PROVENANCE: 512 * 2**10,
}
#: How much of a value or of somebody else's message is repeated.
REPEATED = 300
#: What fields are, in words, where a pattern would say it to nobody.
FORMS = {
    "distribution.git": "the plain https address of a repository, as in https://host/my/cloak",
    "distribution.commit": "the whole hash of a commit: 40 digits from 0 to 9 and a to f",
    "distribution.sha256": "a SHA-256: 64 digits from 0 to 9 and a to f",
    "paper": "an address that begins with https:// or http://",
    "licence": "an SPDX expression such as Apache-2.0",
}
FOLDER = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Complaint(NamedTuple):
    """What is wrong, where, and what to do; one printable line."""

    file: str
    field: str
    problem: str

    def __str__(self) -> str:
        said = ": ".join(filter(None, self))
        return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in said)


class Reading(NamedTuple):
    """A submission if it has the right form, what it claims if all of its files can be read, all
    complaints, and what nobody is refused for."""

    submission: Submission | None
    claimed: Claimed | None
    complaints: list[Complaint]
    warnings: list[Complaint]


def find_submissions(path: Path) -> tuple[list[Path], list[Complaint]]:
    """The submission that `path` is, or those in it, and what in it is none.

    A folder called `submissions` is never one itself.
    """
    if path.name != "submissions" and (path / SUBMISSION).exists():
        return [path], []
    return survey(path)


def survey(root: Path) -> tuple[list[Path], list[Complaint]]:
    """The folders of submissions in `root`, and what else is there."""
    folders, complaints = [], []
    for child in sorted(root.iterdir()) if root.is_dir() else []:
        if child.is_dir() and not child.is_symlink() and FOLDER.fullmatch(child.name):
            folders.append(child)
        else:
            told = "does not belong here; a submission is a folder submissions/NAME/"
            complaints.append(Complaint(str(child), "", told))
    return folders, complaints


def read(folder: Path, current: bool = True) -> Reading:
    """Everything there is to say of a folder without running anything.

    Unless `current`, a submission that another version of the benchmark measured is held against
    its form alone: nobody here knows what that version offered.
    """
    complaints = list(_files(folder))
    if complaints:
        return Reading(None, None, complaints, [])
    try:
        submission = Submission.model_validate(_toml(folder))
    except ValidationError as error:
        return Reading(None, None, list(_of_form(folder / SUBMISSION, error)), [])
    except (ValueError, RecursionError) as error:
        where, told = str(folder / SUBMISSION), f"is no TOML file: {_short(error)}"
        return Reading(None, None, [Complaint(where, "", told)], [])
    if submission.name != folder.resolve().name:
        told = f"{submission.name!r} is not the folder's name; rename one of them"
        complaints.append(Complaint(str(folder / SUBMISSION), "name", told))
    parsers: dict[str, Callable[[bytes], Any]] = {
        CELLS: cells_form.parse_cells,
        DISTANCES: distances_form.parse_distances,
        PROVENANCE: parse_origin,
    }
    parsed: dict[str, Any] = {}
    for name, parse in parsers.items():
        content = (folder / name).read_bytes()
        field = Path(name).stem
        if sha256(content) != getattr(submission.claims, field):
            told = f"{name} has the SHA-256 {sha256(content)}, not this; run `submit` again"
            if sha256(content.replace(b"\r\n", b"\n")) == getattr(submission.claims, field):
                told = (
                    f"{name} was written with other line endings, CRLF, than `submit` writes; turn"
                    " them back, and git's core.autocrlf off"
                )
            complaints.append(Complaint(str(folder / SUBMISSION), f"claims.{field}", told))
            continue
        try:
            parsed[name] = parse(content)
        except ValidationError as error:
            complaints += _of_form(folder / name, error)
        except (ValueError, RecursionError, csv.Error) as error:
            told = f"cannot be read: {_short(error)}"
            complaints.append(Complaint(str(folder / name), "", told))
    complaints += _lines(folder, parsed)
    if complaints or len(parsed) < len(parsers):
        return Reading(submission, None, complaints, [])
    claimed = Claimed(submission, parsed[CELLS], parsed[DISTANCES], parsed[PROVENANCE])
    warned: list[Complaint] = []
    if current or submission.claims.benchmark == version(OURS):
        complaints += _complaints(folder, check_claims(claimed))
        if not complaints:
            warned = _complaints(folder, warnings(claimed))
    return Reading(submission, claimed, complaints, warned)


def _complaints(folder: Path, found: Iterator[tuple[str, str, str]]) -> list[Complaint]:
    return [Complaint(str(folder / name), field, told) for name, field, told in found]


def _lines(folder: Path, parsed: dict[str, Any]) -> Iterator[Complaint]:
    """What is wrong with lines of the CSV files."""
    for name, check in (
        (CELLS, cells_form.check_form),
        (DISTANCES, distances_form.check_form),
    ):
        frame: pd.DataFrame | None = parsed.get(name)
        for line, told in check(frame) if frame is not None else ():
            yield Complaint(str(folder / name), line, told)


def _files(folder: Path) -> Iterator[Complaint]:
    """Complaints about what is there, before a byte of it is read."""
    if folder.is_symlink():
        yield Complaint(str(folder), "", "is a link; put the folder itself here")
        return
    if not folder.is_dir():
        told = "is no folder; `impress-bench submit` writes one, submissions/NAME/"
        yield Complaint(str(folder), "", told)
        return
    for name, most in LARGEST.items():
        path = folder / name
        if path.is_symlink():
            yield Complaint(str(path), "", "is a link; put the file itself here")
        elif not path.is_file():
            yield Complaint(str(path), "", "is missing; `impress-bench submit` writes it")
        elif path.stat().st_size > most:
            yield Complaint(str(path), "", f"is larger than {most // 2**10} KiB")
    for path in sorted(folder.iterdir()):
        if path.name not in FILES:
            told = f"does not belong here; a submission holds {', '.join(FILES)} only"
            yield Complaint(str(path), "", told)


def _toml(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / SUBMISSION).read_text(encoding="utf-8"))


def _of_form(file: Path, error: ValidationError) -> Iterator[Complaint]:
    """The first complaints of a model, with the way out."""
    for item in error.errors()[:MOST]:
        field = ".".join(map(str, item["loc"]))
        told = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            told = "is no field of a submission; leave it out"
        elif item["type"] == "missing":
            told = "is missing"
        elif item["type"] == "string_pattern_mismatch":
            form = FORMS.get(field)
            told = f"is not {form}" if form else f"does not match {item['ctx']['pattern']}"
            told = f"{_short(repr(item['input']))} {told}"
        yield Complaint(str(file), _short(field), _short(told))


def _short(text: object) -> str:
    text = str(text)
    return text if len(text) <= REPEATED else f"{text[:REPEATED]}…"
