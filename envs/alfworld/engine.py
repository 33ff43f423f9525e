"""`Engine`: ALFWorld in plain Python, with the stock engine's texts and commands."""

from __future__ import annotations

import copy
from typing import Self

from turnwise.envs.alfworld.commands import Action, admissible, carry_out
from turnwise.envs.alfworld.sentences import NOTHING_HAPPENS, answer, introduction
from turnwise.envs.alfworld.world import World

_ONLY_LOOKS = ("look", "inventory", "help", "examine", "study")


class Engine:
    """One play of a world. `feedback` is the latest text; `step` returns it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reset()

    def reset(self) -> str:
        """Begin anew; the opening text."""
        self.state = self.world.start.copy()
        self.won = self.world.won(self.state)
        self.feedback = introduction(self.world, self.state)
        self._actions: dict[str, Action] | None = None
        return self.feedback

    @property
    def actions(self) -> dict[str, Action]:
        """Command -> action, for everything that can be done now."""
        if self._actions is None:
            self._actions = admissible(self.world, self.state)
        return self._actions

    @property
    def commands(self) -> list[str]:
        """The admissible commands, sorted."""
        return sorted(self.actions)

    def step(self, command: str) -> str:
        """Carry out a command; one that is not admissible makes nothing happen, and costs nothing here."""
        action = self.actions.get(command.strip())
        if action is None:
            self.feedback = NOTHING_HAPPENS
        elif action.verb in _ONLY_LOOKS:
            self.feedback = answer(self.world, self.state, action)
        else:
            carry_out(self.world, self.state, action)
            self._actions = None
            self.feedback = answer(self.world, self.state, action)
            self.won = self.world.won(self.state)
        return self.feedback

    def copy(self) -> Self:
        """An independent play of the same world from here on."""
        twin = copy.copy(self)
        twin.state = self.state.copy()
        return twin
