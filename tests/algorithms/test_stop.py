"""Signals: raised at once, held back, heard once, and let go of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from turnwise.algorithms.stop import Stop, Stopped

LONG_S = 600.0


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """A job in the background may ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_raised_where_the_program_is(signum: signal.Signals, code: int) -> None:
    handlers = [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)]
    after = []
    with pytest.raises(Stopped) as stopped, Stop(LONG_S) as stop:
        signal.raise_signal(signum)
        after.append("not reached")
    assert (stopped.value.exit_code, stop.signum, after) == (code, signum, [])
    assert [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_what_belongs_together_is_not_torn_apart() -> None:
    done = []
    with Stop(LONG_S) as stop:
        with pytest.raises(Stopped), stop.whole() as begin:
            done.append("before")
            begin()
            signal.raise_signal(signal.SIGTERM)
            begin()  # it has begun already
            done.append("inside")
        signal.raise_signal(signal.SIGTERM)  # a second one changes nothing
        done.append("after")
        with pytest.raises(Stopped), stop.whole() as begin:
            begin()
            done.append("not reached")
    assert done == ["before", "inside", "after"]


def test_before_it_begins_a_block_is_like_any_other_code() -> None:
    done = []
    with pytest.raises(Stopped), Stop(LONG_S) as stop, stop.whole() as begin:
        signal.raise_signal(signal.SIGTERM)
        begin()
        done.append("not reached")
    assert done == []


def test_an_exception_of_a_block_goes_before_the_signal() -> None:
    with Stop(LONG_S) as stop, pytest.raises(KeyError), stop.whole() as begin:
        begin()
        signal.raise_signal(signal.SIGTERM)
        raise KeyError


class Swallows:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_gets_lost_is_raised_at_the_next_block() -> None:
    with Stop(LONG_S) as stop:
        thing = Swallows()
        del thing  # Python prints what a destructor raises, and goes on
        with pytest.raises(Stopped), stop.whole() as begin:
            begin()


def test_ranks_that_have_to_agree_are_told_at_the_place_where_they_meet() -> None:
    with Stop(LONG_S, patient=True) as stop:
        signal.raise_signal(signal.SIGTERM)
        with stop.whole() as begin:
            begin()
        with pytest.raises(Stopped):
            stop.check()
    with Stop(LONG_S, patient=True) as stop:
        stop.check(0)
        with pytest.raises(Stopped) as stopped:
            stop.check(signal.SIGINT)
    assert stopped.value.exit_code == 130


def test_after_it_is_hushed_nothing_is_raised() -> None:
    with Stop(LONG_S) as stop:
        stop.hush()
        signal.raise_signal(signal.SIGTERM)
        with stop.whole() as begin:
            begin()
    assert stop.signum == signal.SIGTERM


def test_signals_that_were_ignored_are_still_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Stop(LONG_S) as stop:
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert stop.signum is None


def test_another_thread_listens_to_nothing() -> None:
    found = []

    def listen() -> None:
        with Stop(LONG_S):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(LONG_S)
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_its_thread_ends_with_it() -> None:
    with Stop(LONG_S):
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "turnwise-stop"]
    thread.join(LONG_S)
    assert not thread.is_alive()


BUSY = """
import os, signal, time
from turnwise.algorithms.stop import Stop
with Stop(0.2) as stop, stop.whole() as begin:
    begin()
    print("busy", flush=True)
    while True:
        time.sleep(60)
"""


def test_what_takes_too_long_is_ended_in_the_middle() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as busy:
        assert busy.stdout is not None
        assert busy.stdout.readline() == "busy\n"
        started = time.monotonic()
        os.kill(busy.pid, signal.SIGTERM)
        _, told = busy.communicate(timeout=LONG_S)
    assert busy.returncode == 143
    assert told == "turnwise: stopped after 0.2 s without another checkpoint; go on with --resume RUN\n"
    assert time.monotonic() - started < 60
