"""`Subject`: the game under test. Makes it and its views, and knows how much play fits into a check's time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar, cast

from turnwise.envs.checker.play import Episode, Turn, close, walk
from turnwise.envs.checker.result import Broken
from turnwise.envs.core import TextGame
from turnwise.envs.referee import Referee
from turnwise.envs.registry import find_spec, make_game
from turnwise.envs.spec import GameSpec

MOST_TURNS = 20_000
"""Replies after which random play has to be over."""
LONGEST_EPISODE_S = 60.0
CHECK_S = 0.05
"""Seconds of play that a check asks for, where the game is quick enough for more than the least."""
SLOW_TURN_S = 0.01
HEAVY_S, HEAVY_TURN_S = 0.3, 0.1
"""Seconds from making an object to its first turn, and of a turn, from which on a game is heavy."""
SAMPLE_S = 0.3
"""Seconds of play that the shared sample of whole episodes takes."""

Made = TypeVar("Made")


class Subject:
    """A game by its id, by `module:Class`, or by a callable that makes it; with arguments of the game."""

    def __init__(self, target: str | Callable[..., TextGame], **kwargs: Any) -> None:
        self.target, self.kwargs = target, kwargs
        self.name = target if isinstance(target, str) else getattr(target, "__qualname__", str(target))
        self._made: list[Any] = []

    @cached_property
    def spec(self) -> GameSpec | None:
        """The record of the id; None where the game is given in another way. Raises UnknownEnv."""
        return find_spec(self.target) if isinstance(self.target, str) and ":" not in self.target else None

    @property
    def module(self) -> str | None:
        """The module that holds the game; None for a callable."""
        place = self.spec.entry_point if self.spec else self.target
        return place.partition(":")[0] if isinstance(place, str) else None

    def make(self, **more: Any) -> TextGame:
        """A new game in this process, whatever the registry would wrap around it."""
        given = {**self.kwargs, **more}
        if self.spec is not None:
            in_process = {"worker": False} if self.spec.slow else {}
            return self._kept(make_game(self.spec.id, **in_process, **given))
        return self._kept(self._maker()(**given))

    def _kept(self, made: Made) -> Made:
        """The same, noted for `release`."""
        self._made.append(made)
        return made

    def release(self) -> None:
        """Close all games and views that were made so far."""
        made, self._made = self._made, []
        for one in made:
            one.close()

    def _maker(self) -> Callable[..., TextGame]:
        if not isinstance(self.target, str):
            return self.target
        module, _, name = self.target.partition(":")
        return cast("Callable[..., TextGame]", getattr(import_module(module), name))

    def referee(self, **settings: Any) -> Referee:
        """A referee with a game of its own."""
        return Referee(self.make(), **settings)

    def gym_env(self, **view: Any) -> Any:
        """The Gymnasium view, as a user would get it."""
        import gymnasium

        from turnwise.envs.gym_view import TextGameEnv

        if self.spec is None:
            return TextGameEnv(self.make(), **view)
        env = gymnasium.make(self.spec.id, disable_env_checker=True, **view, **self.kwargs).unwrapped
        return self._kept(env)

    def aec_env(self, **view: Any) -> Any:
        """The PettingZoo view, as a user would get it."""
        from turnwise.envs.aec_view import TextGameAEC

        if self.spec is None:
            return TextGameAEC(self.make(), **view)
        return self._kept(TextGameAEC(self.spec.id, **view, **self.kwargs))

    def parallel_env(self) -> Any:
        """The PettingZoo view of a game whose seats move at once, as a user would get it."""
        from turnwise.envs.parallel_view import TextGameParallel

        if self.spec is None:
            return TextGameParallel(self.make())
        return self._kept(TextGameParallel(self.spec.id, **self.kwargs))

    @cached_property
    def compact(self) -> Subject | None:
        """The same game with the compact prompt; None where it has none, or where a prompt is given already."""
        if "prompt" in self.kwargs:
            return None
        twin = Subject(self.target, **self.kwargs, prompt="compact")
        twin.name = self.name
        try:
            twin.make()
        except (TypeError, ValueError):
            return None
        return twin

    @cached_property
    def sample(self) -> tuple[Episode, ...]:
        """Whole episodes of random play, seeds 0, 1, ...: as many as fit into `SAMPLE_S`, at least 2, at most 20."""
        found: list[Episode] = []
        begin = time.perf_counter()
        referee = self.referee()
        referee.start(0)
        self._new_s, begin = time.perf_counter() - begin, time.perf_counter()
        while len(found) < 2 or (time.perf_counter() - begin < SAMPLE_S and len(found) < 20):
            found.append(_to_the_end(referee, len(found)))
            if time.perf_counter() - begin > LONGEST_EPISODE_S / 10:
                break
        self._turn_s = (time.perf_counter() - begin) / max(1, sum(len(one.turns) for one in found))
        return tuple(found)

    @property
    def horizon(self) -> int:
        """Turns of a short walk: what fits into `CHECK_S`, 10 to 100; 5 where the game is heavy."""
        return 5 if self.heavy else max(10, min(100, int(CHECK_S / self.turn_s)))

    @property
    def heavy(self) -> bool:
        """A new object (a process, a generator) or a turn takes so long that checks ask for few of them."""
        return bool(self.sample) and (self._new_s > HEAVY_S or self._turn_s > HEAVY_TURN_S)

    @property
    def quick(self) -> bool:
        """A short walk takes no time to speak of, so that checks may ask for many."""
        return self.turn_s * self.horizon < CHECK_S / 2

    @property
    def turn_s(self) -> float:
        """Seconds of a turn, starts included."""
        return self._turn_s if self.sample else 0.0

    @property
    def seeds(self) -> range:
        """Seeds of a check that plays short walks: 1 of a slow game, 2 to 20 of a quick one."""
        turns = sum(len(one.turns) for one in self.sample) / len(self.sample)
        fitting = int(CHECK_S / (self.turn_s * max(1.0, min(self.horizon, turns))))
        least = 1 if self.heavy or self.turn_s > SLOW_TURN_S else 2
        return range(max(least, min(20, fitting)))


def _to_the_end(referee: Referee, seed: int) -> Episode:
    turns: list[Turn] = []
    begin = time.perf_counter()
    for turn in walk(referee, seed, limit=MOST_TURNS):
        turns.append(turn)
        if time.perf_counter() - begin > LONGEST_EPISODE_S:
            break
    if referee.failure is not None:
        raise Broken(f"the environment failed in random play: {referee.failure}")
    return close(referee, turns)
