"""Copy what another job published into a checkout; refuse whatever is not published.

usage: take_published.py FROM INTO

Published are LEADERBOARD.md, boards of results, and measurements of submissions: ordinary files of
known names and sizes. Nothing is copied unless all of it may be. Standard library only.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
PUBLISHED = re.compile(
    r"LEADERBOARD\.md"
    rf"|leaderboard/results/{NAME}/boards/(LEADERBOARD|{NAME})\.(md|csv|json)"
    rf"|leaderboard/measured/{NAME}/"
    r"((cells|protections|inspections|notes)\.parquet|(provenance|submission)\.json)"
)
LARGEST = 20 * 2**20


def published(folder: Path) -> list[str]:
    """Paths of the files in a folder. Raises ValueError for one that is not published."""
    found = []
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            place = Path(above) / name
            path, told = place.relative_to(folder).as_posix(), place.lstat()
            if name in folders and stat.S_ISDIR(told.st_mode):
                continue
            if not stat.S_ISREG(told.st_mode) or not PUBLISHED.fullmatch(path):
                raise ValueError(f"{path!r} is nothing that is published")
            if told.st_size > LARGEST:
                raise ValueError(f"{path!r} is larger than {LARGEST // 2**20} MiB")
            found.append(path)
    return sorted(found)


def main(source: str, target: str) -> int:
    """Exit code 0, or 1 with the reason."""
    try:
        paths = published(Path(source))
    except ValueError as error:
        print(f"refused: {str(error).encode('ascii', 'backslashreplace').decode()}")
        return 1
    for path in paths:
        place = Path(target) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((Path(source) / path).read_bytes())
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
