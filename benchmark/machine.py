"""What ends a run and is no plugin's fault: a full disk, too many open files, a lost cluster."""

from __future__ import annotations

import errno
import os

#: Errors of a system that is short of something: room on a disk, open files, memory. EAGAIN says so
#: of a new process alone, and is what anybody may be told who reads without waiting.
SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class MachineError(Exception):
    """What a run stands on has failed, and no stage of it; the message names the place and the way
    out. The same command goes on where the run stopped."""


def shortage(error: BaseException) -> MachineError | None:
    """The error of this machine that `error`, or what it was raised from, stands for; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in SHORT:
            return short_of(cause)
        cause = cause.__cause__
    return None


def short_of(error: OSError, what: str = "") -> MachineError:
    """The error of this machine that an OSError is, on the file that it names or on `what`."""
    place = what or error.filename or "this machine"
    return MachineError(
        f"{place}: {error.strerror or os.strerror(error.errno or 0)}. What is stored stays; make"
        " room (TMPDIR names another folder for what is only for a while) and run the same command"
        " again, which goes on where this one stopped"
    )
