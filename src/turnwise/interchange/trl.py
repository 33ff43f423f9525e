"""A turnwise environment as the `environment_factory` of trl's `GRPOTrainer`.

trl's environments talk through tools: the policy calls `act` with its move and reads what came of it. Where a tool call
ends a game, trl goes on until the policy answers without one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.parsing import write_action

INSTRUCTION = "Play the game below. Call the tool `act` for each of your moves, until the game is over.\n\n"
OVER = "The game is over."


class Played:
    """One seat of a game; opponents play the others. trl calls `reset` and `get_reward`, and offers `act` as a tool."""

    _make: Callable[[], TextGameEnv]
    _seeds: Iterator[int]

    def __init__(self) -> None:
        self._env = self._make()
        self._over, self._return = True, 0.0
        self._info: Mapping[str, Any] = {}

    def reset(self, seed: int | None = None, **_: Any) -> str:
        """The first observation, which trl puts behind the prompt."""
        observation, self._info = self._env.reset(seed=next(self._seeds) if seed is None else int(seed))
        self._over, self._return = False, 0.0
        return observation

    def act(self, move: str) -> str:
        """
        Make your next move in the game.

        Args:
            move: The move as the game names it, for example check.

        Returns:
            What you see next, or how the game ended.
        """
        if self._over:
            return OVER
        legal = self._info["legal_actions"]
        reply = str(move) if legal is None or "[" in str(move) else write_action(str(move), legal)
        observation, reward, terminated, truncated, self._info = self._env.step(reply)
        self._return += reward
        self._over = terminated or truncated
        return f"{observation}\n{OVER} Your return is {self._return:g}." if self._over else observation

    def get_reward(self) -> float:
        """What the seat got in this episode, in task units; a game that was not played to its end counts so far."""
        return self._return


def environment_factory(game: str, *, first_seed: int = 0, **settings: Any) -> type[Played]:
    """A class whose objects play one episode after the other; its `get_reward` is the return of the seat.

    settings: as for `TextGameEnv`: seat, opponents, invalid, max_turns, and the game's own. An episode's deal follows
    from the `seed` in its row of the training data (see `rows`), so that the rollouts of one prompt play the same one;
    without such a column, from a count on `first_seed`.
    """

    def make() -> TextGameEnv:
        return TextGameEnv(game, **settings)

    return type("TurnwiseEnvironment", (Played,), {"_make": staticmethod(make), "_seeds": itertools.count(first_seed)})


def rows(prompts: int, first_seed: int = 0, instruction: str = INSTRUCTION) -> list[dict[str, Any]]:
    """Training data for such an environment: a prompt a row, each with the seed of its deal."""
    message = {"role": "user", "content": instruction}
    return [{"prompt": [message], "seed": first_seed + index} for index in range(prompts)]
