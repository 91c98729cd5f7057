"""What ends a run and is no plugin's fault: a full disk, a system out of files, a lost cluster."""

from __future__ import annotations

import errno
from collections.abc import Iterator

#: What a system says of a disk without room, and of one on which this user may have no more.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: What it says if it is short of what all share. Open files of one process (EMFILE) and memory for
#: one request (ENOMEM) are not among them: a plugin that leaks or asks for too much would end every
#: run that it is part of. EAGAIN is what anybody is told who reads without waiting.
SHORT = (*FULL, errno.ENFILE)


class MachineError(Exception):
    """What a run stands on has failed, and no stage of it; the message names the place and the way
    out. The same command goes on where the run stopped."""


def shortage(error: BaseException) -> MachineError | None:
    """The error of this machine that `error` was raised for; None if it is another's."""
    for cause in _causes(error):
        if isinstance(cause, MachineError):
            return MachineError(*cause.args)
        if isinstance(cause, OSError) and cause.errno in SHORT:
            return _short_of(cause)
    return None


def _short_of(error: OSError) -> MachineError:
    """The error of this machine that an OSError is, on the file that it names."""
    way_out = "end other programs, or raise the limit (ulimit -a)"
    if error.errno in FULL:
        way_out = "make room, or name another folder for scratch files by TMPDIR"
    return MachineError(
        f"{error.filename or 'this machine'}: {error.strerror or error}. What is stored"
        f" stays; {way_out}, and run the same command again, which goes on where this one stopped"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it and they were raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
