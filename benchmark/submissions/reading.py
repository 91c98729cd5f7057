"""A submission's folder, read without trusting it, and every complaint about it.

Nothing of it is run and nothing is asked of a network: paths, links and sizes come first, then the
form, then the digests, then what the claims say.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pydantic import ValidationError

from impress_bench.benchmark.harness.config.preset import Preset
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions.cells import MOST, check_form, parse_cells
from impress_bench.benchmark.submissions.claims import check_claims
from impress_bench.benchmark.submissions.model import (
    CELLS,
    FILES,
    PROVENANCE,
    SUBMISSION,
    Provenance,
    Submission,
)

#: Far more than a run of every preset writes.
MAX_BYTES = 20 * 2**20


class Complaint(NamedTuple):
    """What is wrong, where, and what to do."""

    file: str
    field: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(filter(None, self))


class Reading(NamedTuple):
    """A submission if it has the right form, its claimed cells and provenance if they can be read,
    and all complaints."""

    submission: Submission | None
    cells: pd.DataFrame | None
    provenance: dict[str, Any] | None
    complaints: list[Complaint]


def find_submissions(path: Path) -> list[Path]:
    """The submission that `path` is, or those in it."""
    if (path / SUBMISSION).exists():
        return [path]
    return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []


def read(folder: Path, current: bool = True) -> Reading:
    """Everything there is to say of a folder without running anything; with `current`, also whether
    its claims are ones that this version can measure again."""
    complaints = list(_files(folder))
    if complaints:
        return Reading(None, None, None, complaints)
    try:
        submission = Submission.model_validate(_toml(folder))
    except ValidationError as error:
        complaints = [_of_form(folder / SUBMISSION, item) for item in error.errors()[:MOST]]
        return Reading(None, None, None, complaints)
    except (ValueError, RecursionError) as error:
        where = str(folder / SUBMISSION)
        return Reading(None, None, None, [Complaint(where, "", f"is no TOML file: {error}")])
    if submission.name != folder.resolve().name:
        told = f"{submission.name!r} is not the folder's name; rename one of them"
        complaints.append(Complaint(str(folder / SUBMISSION), "name", told))
    cells, provenance = None, None
    for name, claimed in (
        (CELLS, submission.claims.cells),
        (PROVENANCE, submission.claims.provenance),
    ):
        content = (folder / name).read_bytes()
        if sha256(content) != claimed:
            field = f"claims.{Path(name).stem}"
            told = f"{name} has the SHA-256 {sha256(content)}, not this; run `submit` again"
            complaints.append(Complaint(str(folder / SUBMISSION), field, told))
            continue
        try:
            if name == CELLS:
                cells = parse_cells(content)
            else:
                provenance = _document(content)
        except ValidationError as error:
            complaints += [_of_form(folder / name, item) for item in error.errors()[:MOST]]
        except (ValueError, RecursionError, csv.Error) as error:
            complaints.append(Complaint(str(folder / name), "", f"cannot be read: {error}"))
    if cells is not None:
        form = list(check_form(cells, submission.kind, submission.name))
        complaints += [Complaint(str(folder / CELLS), line, told) for line, told in form]
        if current and not form and provenance is not None:
            for name, field, told in check_claims(submission, cells, provenance):
                complaints.append(Complaint(str(folder / name), field, told))
    return Reading(submission, cells, provenance, complaints)


def _files(folder: Path) -> Iterator[Complaint]:
    """Complaints about what is there, before a byte of it is read."""
    if folder.is_symlink():
        yield Complaint(str(folder), "", "is a link; put the folder itself here")
        return
    if not folder.is_dir():
        yield Complaint(str(folder), "", "is no folder; `impress-bench submit` writes one")
        return
    for name in FILES:
        path = folder / name
        if path.is_symlink():
            yield Complaint(str(path), "", "is a link; put the file itself here")
        elif not path.is_file():
            yield Complaint(str(path), "", "is missing; `impress-bench submit` writes it")
        elif path.stat().st_size > MAX_BYTES:
            yield Complaint(str(path), "", f"is larger than {MAX_BYTES // 2**20} MiB")
    for path in sorted(folder.iterdir()):
        if path.name not in FILES:
            told = f"does not belong here; a submission holds {', '.join(FILES)} only"
            yield Complaint(str(path), "", told)


def _toml(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / SUBMISSION).read_text(encoding="utf-8"))


def _document(content: bytes) -> dict[str, Any]:
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("it holds no table")
    Provenance.model_validate(document)
    Preset.model_validate(document["preset"])
    return document


def _of_form(file: Path, item: Any) -> Complaint:
    """One complaint of the model, with the way out."""
    field = ".".join(map(str, item["loc"]))
    told = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        told = "is no field of a submission; leave it out"
    elif item["type"] == "missing":
        told = "is missing"
    elif item["type"] == "string_pattern_mismatch":
        told = f"{item['input']!r} does not match {item['ctx']['pattern']}"
    return Complaint(str(file), field, told)
