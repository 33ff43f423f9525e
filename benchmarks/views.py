"""Four ways to play a game of turnwise from its start to its end, with random valid replies or the expert's."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from peers import Player

import turnwise
from turnwise.envs.core import TextGame
from turnwise.envs.referee import Referee
from turnwise.envs.registry import find_spec

AWAY = ("textworld", "python", "tools")
"""Families that work in other processes."""
BY_EXPERT = ("search", "python", "tools")
"""Families where a random reply is not worth measuring."""
GAMES_AWAY = 2  # different games of a family that works elsewhere, played again and again: their making is cached


@dataclass(frozen=True, slots=True)
class Case:
    """A game in one view."""

    id: str
    view: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """Of the game."""
        return find_spec(self.id).family

    @property
    def away(self) -> bool:
        """It works in other processes."""
        return self.family in AWAY or find_spec(self.id).slow

    def make(self) -> TextGame:
        """A new game."""
        return turnwise.make_game(self.id, **self.arguments)


def sampler(case: Case, game: TextGame, form: str = "[{}]") -> Callable[[], str]:
    """A function that draws a reply for the live game, cheaply; form: of an action with a name."""
    if case.family in BY_EXPERT:
        return lambda: game.solution()[0]
    pick, rng = random.Random(0).random, np.random.default_rng(1)  # not the generator of the games

    def sample() -> str:
        legal = game.legal()
        return game.sample_action(rng) if legal is None else form.format(legal[int(pick() * len(legal))])

    return sample


def raw(case: Case) -> Player:
    """The game itself."""
    game, rng, seeds = case.make(), np.random.default_rng(0), itertools.cycle(range(GAMES_AWAY))
    sample = sampler(case, game, "{}")

    def finish(draws: int) -> int:
        turns = 0
        while game.seat is not None:
            game.observe(game.seat)
            for _ in range(draws):
                action = sample()
            game.play(action)
            turns += 1
        return turns

    def start() -> None:
        game.start(np.random.default_rng(next(seeds)) if case.away else rng)

    return Player(start, finish, game.close)


def referee(case: Case) -> Player:
    """Replies such as `[bet]`, read and judged. One generator deals all games, as in a peer that is reset unseeded."""
    game, seeds, rng = case.make(), itertools.count(), np.random.default_rng(0)
    judge, sample = Referee(game), sampler(case, game)

    def finish(draws: int) -> int:
        while judge.seat is not None:
            judge.observe()
            for _ in range(draws):
                reply = sample()
            judge.submit(reply)
        return judge.turns

    def start() -> None:
        judge.start(next(seeds), None if case.away else rng)

    return Player(start, finish, game.close)


def pettingzoo(case: Case) -> Player:
    """`env.last()` and `env.step(reply)`; the empty steps of a finished game are no turns."""
    env = turnwise.aec_env(case.id, **case.arguments)
    sample = sampler(case, env.game)
    env.reset(seed=0)

    def finish(draws: int) -> int:
        while env.agents:
            _, _, terminated, truncated, _ = env.last()
            for _ in range(draws):
                reply = None if terminated or truncated else sample()
            env.step(reply)
        return env.referee.turns

    return Player(env.reset, finish, env.close)


def gymnasium(case: Case) -> Player:
    """`gym.make` without its passive checker, against a random opponent, whose replies are turns too."""
    env = gym.make(case.id, disable_env_checker=True, **case.arguments)
    view = env.unwrapped
    sample = sampler(case, view.game)
    env.reset(seed=0)

    def finish(draws: int) -> int:
        over = view.referee.seat is None  # the opponent may have ended the game before our first turn
        while not over:
            for _ in range(draws):
                reply = sample()
            _, _, terminated, truncated, _ = env.step(reply)
            over = terminated or truncated
        return view.referee.turns

    return Player(env.reset, finish, env.close)


VIEWS = {"raw": raw, "referee": referee, "pettingzoo": pettingzoo, "gymnasium": gymnasium}
