"""What a trusted machine measured of a submission: a run's folder, tied to what was sent in.

`leaderboard/measured/NAME/` is written by `validate --rerun --measured`, never by who submits.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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


def keep(run: Path, submission: Path, measured: Path) -> Path:
    """Copy a run's tables to `measured`/NAME, with the digests of the submission it measured."""
    target = make_folder(measured / submission.name, "--measured")
    for name in KEPT:
        shutil.copyfile(run / name, target / name)
    record = json.dumps({"files": digests(submission)}, indent=1)
    write_atomically(target / RECORD, f"{record}\n".encode())
    return target


def measured_part(measured: Path, submission: Path) -> Part | None:
    """What was measured of exactly this submission, or None. Raises ConfigError."""
    folder = measured / submission.name
    if not (folder / RECORD).is_file():
        return None
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["files"] != digests(submission):
            return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / RECORD}: {error}; measure the submission again") from None
    return read_part(folder)
