"""`MiniGridGame`: a level of MiniGrid or BabyAI as a `TextGame`."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.minigrid import words
from turnwise.envs.minigrid.expert import expert_plan
from turnwise.envs.minigrid.loading import check_level, load, silence
from turnwise.envs.minigrid.names import has_expert
from turnwise.envs.minigrid.state import state_key
from turnwise.envs.minigrid.view import name_of, seen_by_agent, whole_grid

PLAYER = "player_0"
_UNCHANGED = "Nothing that you see has changed."
_SHOWN = 40  # characters of a refused action that a reason repeats


class MiniGridGame(TextGame):
    """One seat carries out the task of a MiniGrid level, told in words.

    level_id: MiniGrid's, for example BabyAI-GoToLocal-v0. view "agent": what the agent sees, nearest first; "full": the
    whole grid. mode "text": every observation is the whole view; "diff": after the first one only what has changed,
    as a unified diff without context. max_steps: a limit below MiniGrid's own; either truncates.

    Reward: MiniGrid's: 1 - 0.9 * steps / limit for the task, else 0; -1 for running into something in the levels with
    moving obstacles. Raises ValueError on a bad setting.
    Source: Chevalier-Boisvert et al. 2023, arXiv:2306.13831 and 2019, arXiv:1810.08272; diff: arXiv:2312.07540.
    """

    seats = (PLAYER,)
    can_clone = has_anchor = has_board = True

    def __init__(
        self,
        *,
        level_id: str,
        view: str = "agent",
        mode: str = "text",
        max_steps: int | None = None,
        prompt: str = "full",
    ) -> None:
        for name, value, allowed in (
            ("view", view, ("agent", "full")),
            ("mode", mode, ("text", "diff")),
            ("prompt", prompt, ("full", "compact")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}: got {value!r}")
        if (mode, prompt) == ("diff", "compact"):
            raise ValueError("mode 'diff' needs prompt 'full': a compact observation stands by itself")
        if max_steps is not None and (not isinstance(max_steps, int) or isinstance(max_steps, bool) or max_steps < 1):
            raise ValueError(f"max_steps is at least 1, or None for MiniGrid's own limit: got {max_steps!r}")
        self.level_id = check_level(level_id)
        self.view, self.mode, self.prompt, self.max_steps = view, mode, prompt, max_steps
        self.task = self.level_id.removeprefix("MiniGrid-").rpartition("-v")[0]
        self.has_solution = has_expert(self.level_id)
        self.utility_bounds = (-1.0 if "Dynamic" in self.level_id else 0.0, 1.0)
        self._env: Any = None

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        if self._env is None:
            self._env = load(self.level_id)
        with silence():
            self._env.reset(seed=int(rng.integers(2**31)))
        self._actions = words.ACTIONS[: int(self._env.action_space.n)]
        self._steps = 0
        self._shown = ""
        self._ending = ""
        self._read = False
        self._plan: tuple[int, ...] | None = None
        self.seat = PLAYER

    def observe(self, seat: str) -> str:
        if seat != PLAYER:
            raise ValueError(f"observe needs the seat {PLAYER}: got {seat!r}")
        if self._env is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        if self._read:
            return ""
        self._read = True
        if self.prompt == "compact":
            return "\n".join(filter(None, (self._ending, self._short())))
        first, text = not self._shown, self._text()
        news = text if first or self.mode == "text" else self._changes(text)
        self._shown = text
        opening = words.rules(self.view, len(self._actions)) if first else ""
        return "\n".join(
            filter(None, (opening, self._task() if first or self.mode == "text" else "", news, self._ending))
        )

    def legal(self) -> tuple[str, ...]:
        return self._actions if self.seat is not None else ()

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("no action can be played: the game is over")
        if action not in self._actions:
            shown = ascii(action if len(action) <= _SHOWN else action[:_SHOWN] + "...")
            raise IllegalAction(
                f"{shown} is no action; the actions are {', '.join(f'[{name}]' for name in self._actions)}"
            )
        number = self._actions.index(action)
        _, reward, terminated, truncated, _ = self._env.step(number)
        self._plan = self._plan[1:] if self._plan and self._plan[0] == number else None
        self._steps += 1
        self._read = False
        truncated = not terminated and (bool(truncated) or self._steps == self.max_steps)
        if terminated or truncated:
            self.seat = None
            self._ending = _ending(float(reward), truncated, self._steps)
        return Step({PLAYER: float(reward)}, bool(terminated), truncated, {"steps": self._steps})

    # Texts

    def _task(self) -> str:
        return f"Your task: {self._env.mission}." if self._env.mission else "There is no task: look around."

    def _carrying(self) -> str | None:
        return None if self._env.carrying is None else name_of(self._env.carrying)

    def _text(self) -> str:
        if self.view == "agent":
            return words.egocentric(seen_by_agent(self._env), self._carrying())
        return words.from_above(whole_grid(self._env), int(self._env.agent_dir), self._carrying())

    def _short(self) -> str:
        if self.view == "agent":
            return words.short_egocentric(self._env.mission, seen_by_agent(self._env), self._carrying())
        facing = int(self._env.agent_dir)
        return words.short_from_above(self._env.mission, whole_grid(self._env), facing, self._carrying())

    def _changes(self, text: str) -> str:
        from turnwise.envs.history import zero_context_diff

        return zero_context_diff(self._shown, text) or _UNCHANGED

    # Optional members

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def anchor(self) -> str:
        """The level and a digest of everything in it but the number of steps."""
        return f"{self.level_id} {state_key(self._begun())}"

    def board(self, seat: str) -> str:
        """The task and the whole present view, whatever the mode."""
        if seat != PLAYER:
            raise ValueError(f"board needs the seat {PLAYER}: got {seat!r}")
        self._begun()
        return self._short() if self.prompt == "compact" else f"{self._task()}\n{self._text()}"

    def solution(self) -> tuple[str, ...]:
        """What MiniGrid's own bot does from here. Raises Unsupported where it does not find its way in time."""
        if not self.has_solution:
            raise Unsupported(f"MiniGrid's bot does not solve every episode of {self.level_id}")
        env = self._begun()
        if self.seat is None:
            raise Unsupported("no action can be played: the game is over")
        self._plan = self._plan or expert_plan(env)
        if self._plan is None or (self.max_steps is not None and self._steps + len(self._plan) > self.max_steps):
            raise Unsupported("MiniGrid's bot finds no way to finish the task from here in time")
        return tuple(words.ACTIONS[number] for number in self._plan)

    def _begun(self) -> Any:
        if self._env is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        return self._env


def _ending(reward: float, truncated: bool, steps: int) -> str:
    count = f"{steps} {'step' if steps == 1 else 'steps'}"
    if truncated:
        return f"The game was stopped after {count}."
    return f"The task is done after {count}." if reward > 0 else "The game is over: you have failed."
