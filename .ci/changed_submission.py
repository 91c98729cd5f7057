"""Print the one submission that the commits BASE...HEAD change; refuse everything else.

A pull request with a submission may add, change or remove the files of one folder
`submissions/NAME/` and nothing besides: no other path, no link, no program, no submodule. Standard
library only, and nothing of the pull request is run: what git says of its tree is read.

usage: changed_submission.py BASE HEAD [--into FOLDER]

With --into, the files are written to FOLDER/NAME as they are in HEAD. Exit code 1 for a refusal.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

FILES = ("submission.toml", "cells.csv", "distances.csv", "provenance.json")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
#: An ordinary file; links, programs and submodules have other modes. None before or after.
ORDINARY, NONE = "100644", "000000"
LONGEST, LARGEST = 40, 8 * 2**20


class Refused(Exception):
    """Why a pull request is no submission."""


def git(repository: Path, *arguments: str) -> bytes:
    """What git prints. Raises Refused."""
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True)
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["?"]
        raise Refused(f"git {arguments[0]}: {told[-1]}")
    return done.stdout


def changed(repository: Path, base: str, head: str) -> list[tuple[str, str, str]]:
    """Mode before and after, and path, of every file that HEAD has otherwise than where it left
    BASE; a renamed file is one removed and one added."""
    for commit in (base, head):
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise Refused(f"{commit!r} is no commit's whole name")
    raw = git(repository, "diff", "--raw", "-z", "--no-renames", f"{base}...{head}")
    fields = raw.decode("utf-8", "surrogateescape").split("\0")[:-1]
    found = []
    for told, path in zip(fields[::2], fields[1::2], strict=True):
        before, after, *_ = told.removeprefix(":").split(" ")
        found.append((before, after, path))
    return found


def submission_of(repository: Path, base: str, head: str) -> str:
    """The name of the one submission that changes. Raises Refused."""
    names: set[str] = set()
    found = changed(repository, base, head)
    for before, after, path in found:
        parts = path.split("/")
        if len(parts) != 3 or parts[0] != "submissions":
            raise Refused(
                f"{path!r} lies outside of submissions/NAME/; send in changes of anything else by"
                " a pull request of their own"
            )
        if not NAME.fullmatch(parts[1]) or len(parts[1]) > LONGEST:
            raise Refused(f"{path!r}: {parts[1]!r} is no name such as my-cloak")
        if parts[2] not in FILES:
            raise Refused(f"{path!r} does not belong there; a submission holds {', '.join(FILES)}")
        for mode in (before, after):
            if mode not in (ORDINARY, NONE):
                raise Refused(f"{path!r} has the mode {mode}: put an ordinary file there")
        names.add(parts[1])
    if len(names) != 1:
        told = ", ".join(sorted(names)) or "none"
        raise Refused(f"it changes {len(names)} submissions ({told}); send in one at a time")
    return names.pop()


def extract(repository: Path, head: str, name: str, into: Path) -> None:
    """Write the submission as it is in HEAD. Raises Refused."""
    listing = git(repository, "ls-tree", "-rlz", "--full-tree", head, f"submissions/{name}/")
    folder = into / name
    for line in listing.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        told, path = line.split("\t", 1)
        mode, kind, blob, size = told.split()
        file = path.removeprefix(f"submissions/{name}/")
        if (mode, kind) != (ORDINARY, "blob") or file not in FILES:
            raise Refused(f"{path!r} does not belong there; a submission holds {', '.join(FILES)}")
        if int(size) > LARGEST:
            raise Refused(f"{path!r} is larger than {LARGEST // 2**20} MiB")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(git(repository, "cat-file", "blob", blob))


def main() -> int:
    """Exit code 0 with the name on a line, or 1 with the reason."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--repository", type=Path, default=Path())
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    try:
        name = submission_of(options.repository, options.base, options.head)
        if options.into is not None:
            extract(options.repository, options.head, name, options.into)
    except Refused as error:
        # What a stranger chose is escaped: a line break would begin a command of the runner's.
        print(f"refused: {str(error).encode('ascii', 'backslashreplace').decode()}")
        return 1
    print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
