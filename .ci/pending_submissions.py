"""Print, as a JSON list, the submissions that nobody has measured as they are now.

A measurement in leaderboard/measured/NAME/submission.json names the digests of the files that it
measured. Standard library only; a folder that is no submission is left to `validate`.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

FILES = ("submission.toml", "cells.csv", "distances.csv", "provenance.json")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def pending(root: Path) -> list[str]:
    """Names of the submissions to measure."""
    found = []
    for folder in sorted((root / "submissions").glob("*")):
        files = [folder / name for name in FILES]
        if not NAME.fullmatch(folder.name) or not all(path.is_file() for path in files):
            continue
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        if measured(root / "leaderboard" / "measured" / folder.name) != digests:
            found.append(folder.name)
    return found


def measured(folder: Path) -> object:
    """Digests of what was measured; None where nothing was."""
    try:
        return json.loads((folder / "submission.json").read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    print(json.dumps(pending(Path(sys.argv[1] if len(sys.argv) > 1 else "."))))
