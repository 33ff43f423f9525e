"""All chance comes from the seed: nothing else goes in, nothing leaks out."""

from __future__ import annotations

import random
from itertools import zip_longest
from typing import Any

import numpy as np

from turnwise.envs.checker.play import Episode, close, difference, episode, walk
from turnwise.envs.checker.result import require
from turnwise.envs.checker.subject import Subject
from turnwise.envs.referee import Referee


def same_seed_same_episode(subject: Subject) -> None:
    """A seed gives one episode, on a fresh object and on one that has played, stopped midway and been closed."""
    used = subject.referee()
    for seed in subject.seeds:
        wanted = episode(subject.referee(), seed, limit=subject.horizon)
        _same(wanted, episode(used, seed, limit=subject.horizon), "an object that has played before")
        for _ in walk(used, seed + 1, limit=2):  # leave the next episode unfinished
            pass
    used.game.close()
    first = episode(used, 0, limit=subject.horizon)
    _same(episode(subject.referee(), 0, limit=subject.horizon), first, "an object that was closed")


def interleaved_episodes(subject: Subject) -> None:
    """Two objects that play in turn play as each does alone."""
    for first in subject.seeds[::2]:
        _interleave(subject, (first, first + 1))


def _interleave(subject: Subject, seeds: tuple[int, int]) -> None:
    alone = [episode(subject.referee(), seed, limit=subject.horizon) for seed in seeds]
    referees = [subject.referee(), subject.referee()]
    walks = [walk(referee, seed, limit=subject.horizon) for referee, seed in zip(referees, seeds, strict=True)]
    columns = list(zip(*zip_longest(*walks), strict=True))
    for wanted, referee, column in zip(alone, referees, columns, strict=True):
        came = close(referee, [turn for turn in column if turn is not None])
        _same(wanted, came, "an object beside which another plays")


def global_generators_untouched(subject: Subject) -> None:
    """Nothing draws from `random` or `numpy.random`, seeds them, or depends on them."""
    before = _global_state()
    episode(subject.referee(), 0, limit=subject.horizon)
    _play_badly(subject)
    require(
        _same_state(before, _global_state()), "the process-wide random and numpy.random are never touched: they moved"
    )
    episodes = []
    try:
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002  # the global generator is what this is about
            episodes.append(episode(subject.referee(), 0, limit=subject.horizon))
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
    _same(episodes[0], episodes[1], "another seed of the process-wide generators")


def _play_badly(subject: Subject) -> None:
    referee = Referee(subject.make(), invalid="random_legal")
    referee.start(0)
    referee.observe()
    referee.submit("")


def _global_state() -> tuple[Any, Any]:
    return random.getstate(), np.random.get_state()  # noqa: NPY002  # only looked at


def _same_state(first: tuple[Any, Any], second: tuple[Any, Any]) -> bool:
    arrays = zip(first[1], second[1], strict=True)
    return first[0] == second[0] and all(np.array_equal(one, other) for one, other in arrays)


def _same(wanted: Episode, came: Episode, where: str) -> None:
    require(wanted == came, f"one seed gives one episode, and {where} gave another: {difference(wanted, came)}")
