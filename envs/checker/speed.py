"""How fast a game is. Figures, and one bound: making a game is cheap."""

from __future__ import annotations

import time

from turnwise.envs.checker.play import one_turn, player
from turnwise.envs.checker.result import Figures, require
from turnwise.envs.checker.subject import Subject

MEASURED_S = 0.1
LONGEST_MAKING_S = 0.25
"""Processor seconds of a second making, when everything is imported: work belongs into `start`."""


def making_is_cheap(subject: Subject) -> Figures:
    """The constructor neither generates nor loads: that is for `start`. The least of three."""
    subject.make()
    spent = []
    for _ in range(3):
        begin = time.process_time()
        subject.make()
        spent.append(time.process_time() - begin)
    least = min(spent)
    require(least < LONGEST_MAKING_S, f"a game is made in less than {LONGEST_MAKING_S:g} s: it took {least:.2f} s")
    return {"ms": 1000 * least}


def turns_per_second(subject: Subject) -> Figures:
    """Replies read, judged and answered, through the referee, under random play; starts are measured apart."""
    referee, turns, starts = subject.referee(), 0, 0
    starting = playing = 0.0
    while playing < MEASURED_S and starting < 10 * MEASURED_S:
        rng, begin = player(starts), time.perf_counter()
        referee.start(starts % 2)
        started = time.perf_counter()
        before = turns
        while referee.seat is not None and turns - before < subject.horizon:
            one_turn(referee, rng)
            turns += 1
        starting, playing = starting + started - begin, playing + time.perf_counter() - started
        starts += 1
    return {"turns per second": turns / max(playing, 1e-9), "start ms": 1000 * starting / starts}
