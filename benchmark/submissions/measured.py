"""What a trusted machine measured of a submission: a run's folder, tied to what was sent in.

`leaderboard/measured/NAME/` is written by `validate --rerun --measured`, never by who submits.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from impress_bench.benchmark.errors import ConfigError
from impress_bench.benchmark.harness.runs.folder import Part, read_part
from impress_bench.benchmark.harness.storage.atomic_files import make_folder, write_atomically
from impress_bench.benchmark.harness.storage.keys import sha256
from impress_bench.benchmark.submissions.model import FILES

RECORD = "submission.json"
#: What is kept of a run: its tables and where they come from.
KEPT = (
    "cells.parquet",
    "protections.parquet",
    "inspections.parquet",
    "notes.parquet",
    "provenance.json",
)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a submission."""
    return {name: sha256((folder / name).read_bytes()) for name in FILES}


def keep(run: Path, submission: Path, measured: Path, complaints: Sequence[str] = ()) -> Path:
    """Copy a run's tables to `measured`/NAME, with the digests of the submission it measured.

    Of a submission that did not come out as claimed, the complaints are kept instead: it stays a
    claim, and boards say what a re-run found.
    """
    target = make_folder(measured / submission.name, "--measured")
    record: dict[str, Any] = {"files": digests(submission)}
    if complaints:
        record["complaints"] = list(complaints)
    for name in KEPT:
        if complaints:
            (target / name).unlink(missing_ok=True)
        else:
            shutil.copyfile(run / name, target / name)
    written = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(target / RECORD, f"{written}\n".encode())
    return target


def measured_part(measured: Path, submission: Path) -> Part | None:
    """What was measured of exactly this submission and came out as claimed, or None. Raises
    ConfigError."""
    kept = complaints_of(measured, submission) == []
    return read_part(measured / submission.name) if kept else None


def complaints_of(measured: Path, submission: Path) -> list[str] | None:
    """What came out differently when exactly this submission was measured again; None if nobody
    did. Raises ConfigError."""
    path = measured / submission.name / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
        if record["files"] != digests(submission):
            return None
        return [str(one) for one in record.get("complaints", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: {error}; measure the submission again") from None
