"""`ALFWorld`: one seat does a household chore by text commands."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.alfworld import texts
from turnwise.envs.alfworld.anchors import anchor
from turnwise.envs.alfworld.commands import Action, accessible
from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.goals import read_aim
from turnwise.envs.alfworld.plan import plan
from turnwise.envs.alfworld.pools import Pool
from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.parsing import read_action

PROMPTS = ("full", "compact")


class ALFWorld(TextGame):
    """Bring, clean, heat, cool or look at things in a house. 1 for the chore done, else 0.

    With `admissible` the observation lists the commands that can be carried out, and others are illegal. Without it
    any text is a command (its last square brackets, if it has some), and one that cannot be carried out makes nothing
    happen and costs a step. Rules and texts are those of ALFWorld 0.4 (arXiv:2010.03768), to the byte.
    """

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)
    can_clone = True
    has_ground_truth = True
    has_anchor = True
    has_board = True
    has_solution = True

    def __init__(
        self,
        *,
        task: str | None = None,
        split: str = "train",
        games: int | None = None,
        max_steps: int = 50,
        admissible: bool = True,
        data: str = "generated",
        root: str | None = None,
        prompt: str = "full",
    ) -> None:
        """task, split, games, data, root: see `Pool`. max_steps: commands after which an episode is truncated.

        Raises ValueError on a bad setting.
        """
        if max_steps < 1:
            raise ValueError(f"max_steps is at least 1: got {max_steps}")
        if prompt not in PROMPTS:
            raise ValueError(f"prompt is one of {', '.join(PROMPTS)}: got {prompt!r}")
        self.pool = Pool(task=task, split=split, games=games, data=data, root=root)
        self.max_steps, self.admissible = max_steps, admissible
        self._compact = prompt == "compact"
        self.task = task

    def start(self, rng: np.random.Generator) -> None:
        self.engine = Engine(self.pool.draw(rng))
        aim = read_aim(self.engine.world.problem.goal)
        self.task = aim.task if aim else self.pool.task
        self.steps = 0
        """Commands so far."""
        self._known: frozenset[str] = frozenset()
        self._first, self._unread = True, True
        self.seat = self.seats[0]

    def observe(self, seat: str) -> str:
        if seat not in self.seats:
            raise ValueError(f"observe needs the seat {self.seats[0]}: got {seat!r}")
        if not self._unread:
            return ""
        self._unread = False
        first, self._first = self._first, False
        commands = self._commands() if self.admissible else []
        if self.seat is None:
            end = texts.DONE if self.engine.won else texts.stopped(self.max_steps)
            return f"{self.engine.feedback}\n{end}"
        if self._compact:
            return texts.compact(self.engine, commands)
        lines = [f"{texts.rules(self.max_steps)}\n"] if first else []
        lines.append(self.engine.feedback)
        if commands:
            lines.append(texts.command_line(commands))
        return "\n".join(lines)

    def legal(self) -> list[str] | None:
        """The admissible commands, or None where any text is a command."""
        return self._commands() if self.admissible else None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("no command can be given: the game is over")
        command = action if self.admissible else read_action(action, self.engine.commands) or ""
        done = self.engine.actions.get(command)
        if self.admissible and done is None:
            raise IllegalAction("the command is not admissible now")
        self.engine.step(command)
        self._remember(done)
        self.steps += 1
        self._unread = True
        won, stopped = self.engine.won, not self.engine.won and self.steps >= self.max_steps
        if won or stopped:
            self.seat = None
        info = {"admissible": done is not None, "feedback": self.engine.feedback}
        return Step({self.seats[0]: float(won)}, won, stopped, info)

    def sample_action(self, rng: np.random.Generator) -> str:
        """An admissible command, each as likely as any other."""
        commands = self._commands()
        return commands[int(rng.integers(len(commands)))]

    def clone(self) -> Self:
        twin = copy.copy(self)
        twin.engine = self.engine.copy()
        return twin

    def ground_truth(self) -> str:
        """The expert's commands from the start, one a line."""
        return "\n".join(self.engine.world.problem.walkthrough)

    def solution(self) -> tuple[str, ...]:
        """A short plan from here. Unsupported where the steps that are left, or the chore itself, allow none."""
        commands = plan(self.engine.world, self.engine.state)
        left = self.max_steps - self.steps
        if commands is None or len(commands) > left:
            raise Unsupported(f"no plan that the expert knows does the chore with {left} commands from here")
        return commands

    def anchor(self) -> str:
        """The game and all that was changed in it, however that came about; the number of steps does not count."""
        return anchor(self.engine)

    def board(self, seat: str) -> str:
        """The chore, where one is, what one carries, and what was seen in each place."""
        lines = [texts.board(self.engine, self._known)]
        if self.admissible and self.seat is not None:
            lines.append(texts.command_line(self._commands()))
        return "\n".join([*lines, "Answer with one command in square brackets, for example [look]."])

    def _commands(self) -> list[str]:
        return self.engine.commands if self.seat is not None else []

    def _remember(self, done: Action | None) -> None:
        """Note which place the latest command has shown from within."""
        if done is None or done.verb not in ("go", "open", "examine"):
            return
        if accessible(self.engine.world, self.engine.state, done.other):
            self._known |= {done.other}
