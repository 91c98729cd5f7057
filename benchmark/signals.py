"""Signals that ask the process to end: an exception where it stands, so that it can put things in
order first.

SIGINT comes from Ctrl-C, SIGTERM from schedulers, containers and `kill`, SIGHUP from a terminal
that is closed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds after which a second Ctrl-C is impatience. `timeout` and schedulers send signals to a
#: process and to its group, so that the same one arrives twice at once.
AGAIN_S = 1.0


class Stopped(KeyboardInterrupt):
    """The process was asked to end. `exit_code` is 128 and the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """Such as "SIGTERM"."""
        return signal.Signals(self.number).name

    @property
    def exit_code(self) -> int:
        """As shells count it: 130, 143 or 129."""
        return 128 + self.number


class _State:
    """The first signal that came, when, and whether what it asks for is being done."""

    number: int | None = None
    since = 0.0
    ending = False


_state = _State()


@contextmanager
def stopping(replacing: bool = False) -> Iterator[None]:
    """Raise `Stopped` in the block for the signals in `ENDING`; where `replacing`, also for those
    that a library has set a handler for.

    What is ignored stays ignored: SIGHUP under `nohup`, SIGINT in a shell's background. Further
    signals are not raised, so that nothing disturbs the end, but for a second Ctrl-C after a while.
    Outside of the main thread, which alone gets signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.number, _state.ending = None, False
    former = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in former.items():
        ours = handler in (signal.SIG_DFL, signal.default_int_handler)
        if ours or (replacing and callable(handler)):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is _stop:
                signal.signal(number, handler)


@contextmanager
def kept() -> Iterator[None]:
    """Undo what a library in the block does to the handlers that `stopping` has set, and raise
    `Stopped` where one of its own handlers ends the process."""
    ours = [number for number in ENDING if signal.getsignal(number) is _stop]
    try:
        yield
    except SystemExit:
        if not ours:
            raise
        _state.number = signal.SIGTERM
        raise Stopped(signal.SIGTERM) from None
    finally:
        with suppress(ValueError):  # another thread than the main one
            for number in ours:
                signal.signal(number, _stop)


def check() -> None:
    """Raise `Stopped` again if a signal has come: an exception that arises in a destructor or in
    code that catches everything is lost."""
    if _state.number is not None and not _state.ending:
        raise Stopped(_state.number)


def came() -> Stopped | None:
    """The signal that has come and asks the process to end, if one has."""
    return None if _state.number is None else Stopped(_state.number)


def end() -> None:
    """What the signal asks for is being done: `check` raises no more."""
    _state.ending = True


def _stop(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _state.number is None:
        _state.number, _state.since = number, now
        raise Stopped(number)
    if number == signal.SIGINT and now - _state.since > AGAIN_S:
        raise Stopped(number)
