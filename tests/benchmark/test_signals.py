"""Signals that end the process: raised once, and never lost."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import pytest

from impress_bench.benchmark import signals


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def restored():
    former = {number: signal.getsignal(number) for number in signals.ENDING}
    for number in signals.ENDING:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)
    with signals.stopping():
        pass  # forgets what came


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_first_is_raised_and_no_other(number, code):
    with signals.stopping():
        with pytest.raises(signals.Stopped) as stop:
            send(number)
        assert stop.value.exit_code == code
        assert stop.value.name == signals.came().name == signal.Signals(number).name
        for other in signals.ENDING:
            send(other)
    assert all(signal.getsignal(one) is signal.SIG_DFL for one in signals.ENDING)


def test_one_that_is_lost_is_raised_again_until_its_end_has_begun():
    with signals.stopping():
        signals.check()
        with suppress(BaseException):  # as a destructor does, or code that catches everything
            send(signal.SIGTERM)
        for _ in range(2):
            with pytest.raises(signals.Stopped):
                signals.check()
        signals.end()
        signals.check()
    with signals.stopping():
        signals.check()  # that was another time
        assert signals.came() is None


def test_ctrl_c_again_after_a_while_is_raised(monkeypatch):
    with signals.stopping():
        with pytest.raises(signals.Stopped):
            send(signal.SIGTERM)
        monkeypatch.setattr(signals, "AGAIN_S", -1.0)
        send(signal.SIGHUP)
        with pytest.raises(signals.Stopped):
            send(signal.SIGINT)


def test_what_is_ignored_or_handled_stays_so():
    seen = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    with signals.stopping():
        send(signal.SIGHUP)
        send(signal.SIGINT)
    assert seen == [signal.SIGINT]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_library_s_handler_is_replaced_on_request_and_what_is_ignored_is_not():
    def library_s(number, frame):
        raise SystemExit(1)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, library_s)
    with signals.stopping(replacing=True):
        send(signal.SIGHUP)
        with pytest.raises(signals.Stopped):
            send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is library_s


def test_a_library_s_own_handler_does_not_last():
    with signals.stopping():
        with signals.kept():
            signal.signal(signal.SIGTERM, lambda number, frame: None)
        with pytest.raises(signals.Stopped):
            send(signal.SIGTERM)
    with signals.stopping(), pytest.raises(signals.Stopped) as stop, signals.kept():
        raise SystemExit(1)  # as Ray's does
    assert stop.value.exit_code == 143
    with pytest.raises(SystemExit), signals.kept():
        raise SystemExit(1)


def test_other_threads_change_nothing():
    def elsewhere():
        with signals.stopping(), signals.kept():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
