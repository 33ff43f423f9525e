"""Any Gymnasium environment with few actions, or with texts, as a `TextGame`."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Self

import gymnasium
import numpy as np
from gymnasium import spaces

from turnwise.envs.arguments import PROMPTS, one_of
from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported

SEAT = "player_0"
_MOST_ACTIONS = 500

Describe = Callable[[Any, Mapping[str, Any], gymnasium.Env[Any, Any]], str]
"""(observation, info, unwrapped environment) -> what the agent reads."""


def describe_plainly(observation: Any, info: Mapping[str, Any], env: gymnasium.Env[Any, Any]) -> str:
    """The observation as Python shows it, square brackets turned round: those are for answers."""
    shown = observation.tolist() if isinstance(observation, np.ndarray | np.generic) else observation
    return str(shown).translate(str.maketrans("[]", "()"))


class GymnasiumGame(TextGame):
    """One seat in a Gymnasium environment.

    Args:
        env_id: Id, or a function of a module that makes the environment.
        env_kwargs: Its arguments.
        describe: Turns an observation into words; None: as Python shows it.
        actions: Name -> action. None: the numbers of a Discrete space, `a,b` of a MultiDiscrete one, free text of Text.
        rules: Read once, before the first observation.
        bounds: Lowest and highest return; what lies outside is an EnvFailure, since invalid-action policies rely on it.
        max_steps: Truncates the episode, besides the environment's own limit.
        prompt: full or compact: without the rules.
    Raises ValueError where the action space has no few names, gymnasium's errors for an unknown id.
    """

    seats = (SEAT,)
    can_clone = True
    dense_rewards = True

    def __init__(
        self,
        env_id: str | Callable[..., gymnasium.Env[Any, Any]],
        *,
        env_kwargs: Mapping[str, Any] | None = None,
        describe: Describe = describe_plainly,
        actions: Mapping[str, Any] | None = None,
        rules: str = "",
        bounds: tuple[float, float] = (-1000.0, 1000.0),
        max_steps: int = 200,
        prompt: str = "full",
    ) -> None:
        if max_steps < 1:
            raise ValueError(f"max_steps is at least 1: got {max_steps}")
        one_of("prompt", prompt, PROMPTS)
        self._make, self._kwargs = env_id, dict(env_kwargs or {})
        self.describe, self.rules, self.max_steps, self.compact = describe, rules, max_steps, prompt == "compact"
        self.utility_bounds = bounds
        self._env = self._made()
        self._actions = named_actions(self._env.action_space) if actions is None else dict(actions)
        self._unread: str | None = None

    def start(self, rng: np.random.Generator) -> None:
        try:
            observation, info = self._env.reset(seed=int(rng.integers(2**31)))
        except Exception as error:  # foreign code
            raise EnvFailure(f"the environment failed in reset: {type(error).__name__}: {str(error)[:200]}") from error
        self.seat, self._steps, self._total = SEAT, 0, 0.0
        self._unread = self._read(observation, info, self.rules if not self.compact else "")

    def observe(self, seat: str) -> str:
        if seat != SEAT:
            raise ValueError(f"observe needs the seat {SEAT}: got {seat!r}")
        text, self._unread = self._unread, None
        return text or ""

    def legal(self) -> tuple[str, ...] | None:
        if self._actions is None:
            return None
        return tuple(self._actions) if self.seat else ()

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the episode is over")
        if self._actions is not None and action not in self._actions:
            raise IllegalAction(f"the actions are {', '.join(list(self._actions)[:20])}: got {action[:40]!r}")
        chosen = action if self._actions is None else self._actions[action]
        try:
            observation, reward, terminated, truncated, info = self._env.step(chosen)
        except Exception as error:  # foreign code
            raise EnvFailure(f"the environment failed in step: {type(error).__name__}: {str(error)[:200]}") from error
        self._steps += 1
        self._total += float(reward)
        truncated = not terminated and (truncated or self._steps >= self.max_steps)
        if terminated or truncated:
            self.seat = None
            self._check_bounds()
        self._unread = self._read(observation, info, "")
        return Step({SEAT: float(reward)}, bool(terminated), bool(truncated))

    def sample_action(self, rng: np.random.Generator) -> str:
        if self._actions is not None:
            return super().sample_action(rng)
        return f"text {int(rng.integers(10))}"

    def clone(self) -> Self:
        try:
            return copy.deepcopy(self)
        except (TypeError, ValueError) as error:
            raise Unsupported(f"this environment cannot be copied: {error}") from None

    def close(self) -> None:
        self._env.close()

    def _made(self) -> gymnasium.Env[Any, Any]:
        if isinstance(self._make, str):
            return gymnasium.make(self._make, disable_env_checker=True, **self._kwargs)
        return self._make(**self._kwargs)

    def _read(self, observation: Any, info: Mapping[str, Any], before: str) -> str:
        text = self.describe(observation, info, self._env.unwrapped)
        names = "" if self._actions is None or self.seat is None else _answers(list(self._actions))
        return "\n".join(part for part in (before, text, names) if part)

    def _check_bounds(self) -> None:
        low, high = self.utility_bounds
        if not low <= self._total <= high:
            raise EnvFailure(f"the return is {self._total:g}, outside of bounds=({low:g}, {high:g}): give wider ones")


def named_actions(space: spaces.Space[Any]) -> dict[str, Any] | None:
    """Name -> action of a small space; None for texts, which name themselves. Raises ValueError for another one."""
    if isinstance(space, spaces.Text):
        return None
    if isinstance(space, spaces.Discrete) and space.n <= _MOST_ACTIONS:
        return {str(number): number for number in range(int(space.start), int(space.start + space.n))}
    if isinstance(space, spaces.MultiDiscrete) and np.prod(space.nvec) <= _MOST_ACTIONS:
        choices = itertools.product(*(range(int(count)) for count in space.nvec.flatten()))
        return {",".join(map(str, one)): np.array(one).reshape(space.shape) for one in choices}
    raise ValueError(f"{space} has no few actions to name: give actions={{name: action, ...}}")


def _answers(names: list[str]) -> str:
    return f"Answer with one of: {' '.join(f'[{name}]' for name in names)}"
