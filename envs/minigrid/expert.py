"""`expert_plan`: what MiniGrid's own bot would do from here, played to the end on a copy."""

from __future__ import annotations

import copy
from typing import Any

_MOST_THOUGHTS = 2000  # subgoals that the bot may put on its stack for one action; it goes round in circles beyond


class _TooLong(RuntimeError):
    """The bot thinks in circles."""


class _Stack(list[Any]):
    """The bot's stack of subgoals, which counts."""

    pushed = 0

    def append(self, subgoal: Any) -> None:
        self.pushed += 1
        if self.pushed > _MOST_THOUGHTS:
            raise _TooLong
        super().append(subgoal)


def expert_plan(env: Any) -> tuple[int, ...] | None:
    """Actions that finish the task in time, or None where the bot finds none. The environment is left as it is.

    The bot was written to begin with the episode; from the middle of one it may not find its way.
    """
    from minigrid.utils import baby_ai_bot

    make_bot: Any = baby_ai_bot.BabyAIBot  # it has no annotations
    world = copy.deepcopy(env)
    plan: list[int] = []
    try:
        bot = make_bot(world)
        bot.stack = _Stack(bot.stack)
        action = None
        while True:
            bot.stack.pushed = 0
            action = bot.replan(action)
            plan.append(int(action))
            _, reward, terminated, truncated, _ = world.step(action)
            if terminated or truncated:
                return tuple(plan) if terminated and reward > 0 else None
    # the bot says with bare asserts, or by running into them, that it is at a loss
    except (
        AssertionError,
        baby_ai_bot.DisappearedBoxError,
        _TooLong,
        ValueError,
        IndexError,
        TypeError,
        AttributeError,
    ):
        return None
